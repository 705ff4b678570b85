"""Fits what turns the encoder's vectors further: one linear map for queries, one for tools.

    python -m indexes.fit_maps --data DIR [--model toolrouter/data/model]

The encoder stays as it is. The maps, `v + v M` each, are small and near to nothing at first, so that they change which
directions count more than what a text means: with few queries this generalises where training all layers forgets.
Writes `maps.npz` beside the model and into its manifest. Queries of held-out servers are asked, not trained on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from indexes.corpus import QUERIES, Example, Tool, is_held_out, read_examples, read_tools
from toolrouter.index.model_files import MANIFEST, MAPS, builtin_folder
from toolrouter.index.onnx_embedder import QUERY_MAP, TEXT_MAP, OnnxEmbedder

if TYPE_CHECKING:
    import torch

logger = logging.getLogger("fit_maps")

SET = "train_queries"


@dataclass(frozen=True, slots=True)
class Recipe:
    seed: int = 20261121
    passes: int = 8
    batch: int = 512
    learning_rate: float = 3e-4
    warmup_steps: int = 20
    weight_decay: float = 0.1
    temperature: float = 0.05
    look_alike: float = 0.6
    """The cosine from which on tools of other servers may serve a tool's queries as well: they count neither way."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=builtin_folder())
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    recipe = Recipe()
    without_maps(options.model)
    embedder = OnnxEmbedder(threads=2, folder=options.model)
    tools = read_tools(options.data / SET)
    trained, held_out = split(read_examples(options.data / SET / "queries.jsonl"), read_examples(QUERIES), tools)
    texts = _tensor(embedder.embed_texts([tool.text for tool in tools]))
    queries, held = (_embedded(embedder, examples) for examples in (trained, held_out))
    unsure = look_alikes(texts, [tool.server for tool in tools], recipe.look_alike)
    maps = fit(queries, _golds(trained, tools), texts, unsure, recipe)
    for name, vectors in (
        ("without maps", (held, texts)),
        ("with maps", (_moved(held, maps[0]), _moved(texts, maps[1]))),
    ):
        logger.info("held-out queries, R@5 %s: %.1f %%", name, 100 * _recall(*vectors, _golds(held_out, tools)))
    write(options.model, *maps)


def split(seen: Sequence[Example], others: Sequence[Example], tools: Sequence[Tool]) -> tuple[list[Example], ...]:
    """Return the examples to fit and those held out; each has one tool."""
    server = {tool.id: tool.server for tool in tools}
    single = [example for example in others if len(example.relevant) == 1]
    held_out = [example for example in single if is_held_out(server[example.relevant[0]])]
    kept = [example for example in single if not is_held_out(server[example.relevant[0]])]
    return [*kept, *(example for example in seen if len(example.relevant) == 1)], held_out


def look_alikes(texts: torch.Tensor, servers: Sequence[str], cosine: float) -> torch.Tensor:
    """Return which tools, of different servers, are as near to each other as that, shape (tools, tools)."""
    number = _tensor(np.unique(servers, return_inverse=True)[1])
    return (texts @ texts.T > cosine) & (number[:, None] != number[None, :])


def fit(
    queries: torch.Tensor, gold: torch.Tensor, texts: torch.Tensor, unsure: torch.Tensor, recipe: Recipe
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the maps of queries and of tools, which tell each query's tool from all others."""
    import torch
    from torch.nn import functional

    torch.manual_seed(recipe.seed)
    size = queries.shape[1]
    maps = [torch.zeros(size, size, requires_grad=True) for _ in range(2)]
    optimizer = torch.optim.AdamW(maps, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    steps = recipe.passes * -(-len(queries) // recipe.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / recipe.warmup_steps) * max(0, 1 - step / steps)
    )
    for number in range(recipe.passes):
        total = 0.0
        for batch in torch.randperm(len(queries)).split(recipe.batch):
            scores = _moved(queries[batch], maps[0]) @ _moved(texts, maps[1]).T / recipe.temperature
            loss = functional.cross_entropy(scores.masked_fill(unsure[gold[batch]], -1e4), gold[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batch)
        logger.info("pass %d: loss %.3f", number + 1, total / len(queries))
    return maps[0].detach(), maps[1].detach()


def without_maps(folder: Path) -> None:
    """Take the maps out of a model's manifest: they are fitted on the encoder alone."""
    path = folder / MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["files"].pop(MAPS, None)
    path.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def write(folder: Path, query_map: torch.Tensor, text_map: torch.Tensor) -> None:
    maps = {QUERY_MAP: query_map.numpy().astype(np.float16), TEXT_MAP: text_map.numpy().astype(np.float16)}
    np.savez(folder / MAPS, **maps)
    content = (folder / MAPS).read_bytes()
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    manifest["files"][MAPS] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _embedded(embedder: OnnxEmbedder, examples: Sequence[Example]) -> torch.Tensor:
    return _tensor(embedder.embed_queries([example.query for example in examples]))


def _tensor(values: NDArray[Any]) -> torch.Tensor:
    import torch  # only where it is needed: --help does without

    return torch.from_numpy(values)


def _golds(examples: Sequence[Example], tools: Sequence[Tool]) -> torch.Tensor:
    row = {tool.id: at for at, tool in enumerate(tools)}
    return _tensor(np.array([row[example.relevant[0]] for example in examples], np.int64))


def _moved(vectors: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
    from torch.nn import functional

    return functional.normalize(vectors + vectors @ turn, dim=1)


def _recall(queries: torch.Tensor, texts: torch.Tensor, gold: torch.Tensor, k: int = 5) -> float:
    found: NDArray[np.bool_] = ((queries @ texts.T).topk(k, dim=1).indices == gold[:, None]).any(1).numpy()
    return float(found.mean())


if __name__ == "__main__":
    main()

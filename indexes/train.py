"""Fine-tunes a sentence encoder for tool search.

    python -m indexes.train --data DIR --base CHECKPOINT --out DIR [--recipe indexes/recipe.toml]

DIR holds one folder per data set (`tools.jsonl`, `queries.jsonl`). Everything random comes from the
seed of the recipe; nothing is downloaded.
"""

import argparse
import logging
import tomllib
from dataclasses import dataclass
from pathlib import Path

from indexes.batches import Mix
from indexes.corpus import CodeSwitch, Corpus, read_examples, read_tools
from indexes.glossary import read_glossary


@dataclass(frozen=True, slots=True)
class Recipe:
    seed: int = 20261121
    sets: tuple[str, ...] = ("train_queries",)
    epochs: float = 8
    minutes: float = 75
    """Training stops here at the latest; the schedule follows whichever of epochs and minutes ends first."""
    learning_rate: float = 6e-5
    warmup: float = 0.06
    scale: float = 20.0
    nothing_fits: float = 0.35
    """The cosine that a tool has to beat to be an answer at all: what queries that nothing serves are pulled to."""
    document_weight: float = 0.25
    """Weight of choosing the query for a tool beside choosing the tool for a query."""
    bank_batches: int = 8
    """Batches whose tools stay on as negatives."""
    query_tokens: int = 48
    tool_tokens: int = 72
    average: float = 0.995
    """Decay of the moving average of the weights that is kept in the end."""
    base_share: float = 0.5
    """Share of the starting weights in the result: a mean of both forgets less than either stop of the way."""
    weight_decay: float = 0.01
    threads: int = 2


def read_recipe(path: Path) -> tuple[Recipe, Mix]:
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    mix = Mix(**values.pop("mix", {}))
    return Recipe(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}), mix


def read_corpus(data: Path, recipe: Recipe) -> Corpus:
    corpus = Corpus()
    for name in recipe.sets:
        corpus.add(read_tools(data / name), read_examples(data / name / "queries.jsonl"))
    return corpus


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--base", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipe", type=Path, default=Path(__file__).with_name("recipe.toml"))
    parser.add_argument("--glossary", type=Path, default=Path(__file__).with_name("glossary.txt"))
    arguments = parser.parse_args()
    from indexes.training import run  # torch: not needed to say what there is to say

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    recipe, mix = read_recipe(arguments.recipe)
    corpus = read_corpus(arguments.data, recipe)
    corpus.switch = CodeSwitch(read_glossary(arguments.glossary))
    run(arguments.base, corpus, recipe, mix, arguments.out)


if __name__ == "__main__":
    main()

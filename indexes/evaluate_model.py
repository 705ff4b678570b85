"""Prints what a retrieval model reaches: dense, BM25, their reciprocal-rank and their convex fusion.

    python -m indexes.evaluate_model --data DIR --sets ours_dev azure_mcp [--model DIR] [--json FILE]

A convenience of the model workshop; `toolrouter eval` is the product's evaluation. The measures are
the standard ones per query, then the mean: gold twins (`alt`) count once, for the gold they replace.
"""

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import bm25s
import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from toolrouter.catalog.text import lexical_fields, tool_text

DEPTH = 50
RRF_K = 60
BATCH = 32
Row = Mapping[str, Any]


class Embed(Protocol):
    def __call__(self, texts: Sequence[str]) -> np.ndarray: ...


def shipped_model(folder: Path) -> Embed:
    """Return the embedding function of an exported model: texts to unit vectors [n, dimensions]."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(manifest["max_tokens"])
    tokenizer.enable_padding(pad_id=manifest["pad_id"])

    def embed(texts: Sequence[str]) -> np.ndarray:
        vectors = np.zeros((len(texts), manifest["dimensions"]), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for start in range(0, len(order), BATCH):
            some = order[start : start + BATCH]
            encodings = tokenizer.encode_batch([texts[i] for i in some])
            ids = np.array([encoding.ids for encoding in encodings], dtype=np.int64)
            mask = np.array([encoding.attention_mask for encoding in encodings], dtype=np.int64)
            feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            (vectors[some],) = session.run(None, feed)
        return vectors

    return embed


def checkpoint_model(folder: str) -> Embed:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(folder, device="cpu")
    model.max_seq_length = 128
    return lambda texts: model.encode(list(texts), batch_size=BATCH, normalize_embeddings=True)


def dense_text(tool: Row) -> str:
    return tool_text(**_parts(tool))


def lexical_text(tool: Row) -> str:
    return " ".join(lexical_fields(**_parts(tool)).values())


def _parts(tool: Row) -> dict[str, Any]:
    return {
        "server": tool["server"],
        "name": tool["name"],
        "description": tool.get("description") or "",
        "input_schema": tool.get("input_schema"),
    }


def bm25_scores(texts: Sequence[str], queries: Sequence[str]) -> np.ndarray:
    index = bm25s.BM25()
    index.index(bm25s.tokenize(list(texts), stopwords="en", show_progress=False), show_progress=False)
    split = bm25s.tokenize(list(queries), stopwords="en", return_ids=False, show_progress=False)
    empty = np.zeros(len(texts), dtype=np.float32)
    return np.stack([index.get_scores(words) if words else empty for words in split])


def runs(dense: np.ndarray, lexical: np.ndarray, weight: float) -> dict[str, np.ndarray]:
    """Return the score matrix [queries, tools] of each way to rank."""
    normalised = lexical / np.maximum(lexical.max(axis=1, keepdims=True), 1e-9)
    ranks = [scores.argsort(axis=1)[:, ::-1].argsort(axis=1) + 1 for scores in (dense, lexical)]
    return {
        "dense": dense,
        "bm25": lexical,
        "rrf": sum(1.0 / (RRF_K + rank) for rank in ranks),
        "convex": (1 - weight) * dense + weight * normalised,
    }


def hits(query: Row, ranking: Sequence[str]) -> list[bool]:
    """Return for each place whether it serves a gold tool not served before; further twins are skipped."""
    owners: dict[str, list[int]] = defaultdict(list)
    for number, gold in enumerate(query["relevant"]):
        for tool_id in (gold, *query.get("alt", {}).get(gold, ())):
            owners[tool_id].append(number)
    found: set[int] = set()
    places = []
    for tool_id in ranking:
        free = [number for number in owners.get(tool_id, ()) if number not in found]
        if free:
            found.add(free[0])
        if free or tool_id not in owners:
            places.append(bool(free))
    return places


def measures(query: Row, ranking: Sequence[str]) -> dict[str, float]:
    places, gold = hits(query, ranking), len(query["relevant"])
    ideal = math.fsum(1 / math.log2(i + 2) for i in range(min(gold, 10)))
    return {
        "recall@1": sum(places[:1]) / gold,
        "recall@5": sum(places[:5]) / gold,
        "recall@10": sum(places[:10]) / gold,
        "success@1": float(any(places[:1])),
        "completeness@10": float(sum(places[:10]) == gold),
        "ndcg@10": math.fsum(hit / math.log2(i + 2) for i, hit in enumerate(places[:10])) / ideal,
    }


def top(ids: Sequence[str], scores: np.ndarray) -> list[str]:
    return [ids[i] for i in np.argsort(-scores, kind="stable")[:DEPTH]]


def subquery_ranking(ids: Sequence[str], scores: np.ndarray) -> list[str]:
    """Merge the rankings of the sub-queries [sub-queries, tools] by taking turns."""
    turns = zip(*(top(ids, row) for row in scores), strict=True)
    return list(dict.fromkeys(tool_id for turn in turns for tool_id in turn))


def evaluate(folder: Path, embed: Embed, weight: float, limit: int) -> dict[str, dict[str, dict[str, float]]]:
    """Return run → kind → measure → mean for one data set."""
    tools, queries = _rows(folder / "tools.jsonl"), _rows(folder / "queries.jsonl")
    queries = [query for query in queries if query["relevant"]]
    queries = queries[:: max(1, len(queries) // limit)]
    asked = [text for query in queries for text in (query["query"], *query.get("subqueries", ()))]
    dense = embed(asked) @ embed([dense_text(tool) for tool in tools]).T
    scored = runs(dense, bm25_scores([lexical_text(tool) for tool in tools], asked), weight)
    ids = [tool["id"] for tool in tools]
    return {name: summarise(queries, ids, scores) for name, scores in scored.items()}


def summarise(queries: Sequence[Row], ids: Sequence[str], scores: np.ndarray) -> dict[str, dict[str, float]]:
    by_kind: dict[str, list[dict[str, float]]] = defaultdict(list)
    position = 0
    for query in queries:
        parts = len(query.get("subqueries", ()))
        kind = query.get("kind", "all").split(":")[0]
        measured = measures(query, top(ids, scores[position]))
        by_kind["all"].append(measured)
        if kind != "all":
            by_kind[kind].append(measured)
        if parts:
            merged = subquery_ranking(ids, scores[position + 1 : position + 1 + parts])
            by_kind[f"{kind}, sub-queries"].append(measures(query, merged))
        position += 1 + parts
    return {
        kind: {"queries": len(rows), **{name: float(np.mean([row[name] for row in rows])) for name in rows[0]}}
        for kind, rows in by_kind.items()
    }


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", required=True)
    parser.add_argument("--model", type=Path, default=Path("toolrouter/data/model"))
    parser.add_argument("--checkpoint", help="a float checkpoint in place of the exported model")
    parser.add_argument("--weight", type=float, default=0.2, help="of BM25 in the convex fusion")
    parser.add_argument("--limit", type=int, default=2_000, help="queries of a set, evenly drawn")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    embed = checkpoint_model(arguments.checkpoint) if arguments.checkpoint else shipped_model(arguments.model)
    results = {}
    for name in arguments.sets:
        results[name] = evaluate(arguments.data / name, embed, arguments.weight, arguments.limit)
        for run, kinds in results[name].items():
            for kind, means in kinds.items():
                print(name, run, kind, *(f"{key} {value:.3f}" for key, value in means.items()), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

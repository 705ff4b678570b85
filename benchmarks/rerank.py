"""What a cross-encoder as the second stage brings to hybrid search, by kind of query, and what it costs.

python -m benchmarks.rerank --reranker NAME|FOLDER [--data DIR --sets NAME,NAME] [--about TEXT]

Runs in an environment with `pip install -e '.[models]'`. Without `--sets` the recorded set alone is asked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import platformdirs

from benchmarks.data import RECORDED, load_set
from benchmarks.figures import RESULTS, save
from toolrouter.evaluation.arms import router_arm
from toolrouter.evaluation.indexing import line_cost, open_index
from toolrouter.evaluation.report import differences, report
from toolrouter.evaluation.runs import Run, run_queries, warm_up
from toolrouter.evaluation.sets import EvalSet
from toolrouter.index.rerankers import make_reranker
from toolrouter.ports import Reranker
from toolrouter.retrieval.search import SearchOptions

DEPTH = 10
SHOWN = ("Success@1", "Recall@5", "NDCG@10")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    reranker = make_reranker(options.reranker, wait_s=None)
    rows = []
    for name in options.sets.split(","):
        sampled = load_set(name, options.data, max_tools=options.max_tools, max_queries=options.max_queries)
        rows.append(measure(sampled.found, reranker, options.cache))
        _show(rows[-1])
    model = {"name": Path(options.reranker).name, "about": options.about}
    save("rerank", {"reranker": model, "sets": rows}, options.out)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reranker", required=True, metavar="NAME|FOLDER")
    parser.add_argument("--about", default="", metavar="TEXT", help="what the model is, for the result file")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--sets", default=RECORDED)
    parser.add_argument("--max-tools", type=int, default=2_000)
    parser.add_argument("--max-queries", type=int, default=250, help="larger sets are cut by lot")
    parser.add_argument("--out", type=Path, default=RESULTS)
    cache = platformdirs.user_cache_path("toolrouter-benchmarks", appauthor=False)
    parser.add_argument("--cache", type=Path, default=cache, help="where vectors are kept between runs")
    return parser.parse_args(arguments)


def measure(found: EvalSet, reranker: Reranker | None, cache: Path) -> dict[str, Any]:
    """The first stage alone and both, over the same index and queries, and what the second gains query by query."""
    index = open_index(found, retriever="hybrid", embedder="builtin", home=cache)
    runs: dict[str, Run] = {}
    for stages, second in (("first", None), ("both", reranker)):
        arm = router_arm(index, SearchOptions(), second)
        warm_up(arm)
        runs[stages] = run_queries(arm, found.queries, depth=DEPTH)
    judged = {stages: report(found, run, cost=line_cost(found)) for stages, run in runs.items()}
    gains = differences(found, runs["both"], runs["first"])
    return {
        "set": found.name,
        "tools": len(found.tools),
        "queries": len(found.queries),
        **{stages: asdict(each) for stages, each in judged.items()},
        "gains": {kind: {name: asdict(each[name]) for name in SHOWN} for kind, each in gains.items()},
    }


def _show(row: dict[str, Any]) -> None:
    print(f"{row['set']}: {row['tools']:,} tools, {row['queries']} queries")
    for kind, gains in row["gains"].items():
        before, after = (row[stages]["groups"][kind]["measures"] for stages in ("first", "both"))
        cells = (
            f"{name} {100 * before[name]['value']:.1f} -> {100 * after[name]['value']:.1f}"
            f" ({100 * gain['value']:+.1f} [{100 * gain['low']:+.1f}, {100 * gain['high']:+.1f}])"
            for name, gain in gains.items()
        )
        print(f"  {kind:12} {row['first']['groups'][kind]['queries']:4}  " + "  ".join(cells))
    for stages in ("first", "both"):
        found = row[stages]
        print(f"  {stages:5} stage(s): p50 {found['latency_p50_ms']:.1f} ms, p95 {found['latency_p95_ms']:.1f} ms")


if __name__ == "__main__":
    sys.exit(main())

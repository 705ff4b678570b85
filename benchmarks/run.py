"""Runs arms over sets and writes one result file per pair.

python -m benchmarks.run --data DIR --venvs DIR [--model SET=DIR ...]

With `--model`, our arms measure that set with the model in DIR instead of the one that ships: with one that was trained
without the set. The result says so, and so do the tables.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import platformdirs

from benchmarks import report as tables
from benchmarks.arms import ARMS, OURS, NotInstalled, Opened, Place, open_arm
from benchmarks.data import SEED, Sampled, load_set, set_names
from toolrouter.evaluation.bootstrap import DRAWS
from toolrouter.evaluation.indexing import line_cost
from toolrouter.evaluation.measures import MEASURES
from toolrouter.evaluation.report import per_query, report
from toolrouter.evaluation.runs import run_queries, run_subqueries, warm_up
from toolrouter.index.model_files import MANIFEST

DEPTH = 10
KEPT_PER_QUERY = ("Recall@5", "NDCG@10")
"""What paired comparisons between arms are made of."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    place = Place(options.venvs, options.cache, dict(options.model))
    missing: dict[str, str] = {}
    names = options.sets or set_names(options.data)
    for name in place.models.keys() - names:
        raise SystemExit(f"--model {name}=…: {name} is none of the sets to run: {', '.join(names)}")
    for name in names:
        sampled = load_set(name, options.data, max_tools=options.max_tools, max_queries=options.max_queries)
        for arm in options.arms:
            if arm in missing:
                continue
            try:
                _measure(arm, sampled, place, options.out)
            except NotInstalled as error:
                missing[arm] = str(error)
    for arm, how in missing.items():
        print(f"NOT INSTALLED: {arm} was left out. To have it: {how}", file=sys.stderr)
    _note_missing(options.out, options.arms, missing)
    return tables.main([]) if options.out == tables.RESULTS else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=_folder, help="a folder of NAME/{tools,queries}.jsonl; the recorded set always runs"
    )
    parser.add_argument(
        "--venvs", type=Path, default=Path(__file__).parent / ".venvs", help="where rivals are installed"
    )
    parser.add_argument("--sets", type=_names, default=[], help="only these, by comma")
    parser.add_argument("--arms", type=_arms, default=list(ARMS), help=f"only these, by comma: {', '.join(ARMS)}")
    parser.add_argument("--max-tools", type=int, default=2_000, help="larger sets keep gold, twins and others by lot")
    parser.add_argument("--max-queries", type=int, default=250, help="larger sets are cut by lot")
    parser.add_argument("--out", type=Path, default=tables.RESULTS)
    parser.add_argument("--model", type=_model, action="append", default=[], metavar="SET=DIR", help="see above")
    cache = platformdirs.user_cache_path("toolrouter-benchmarks", appauthor=False)
    parser.add_argument("--cache", type=Path, default=cache, help="where vectors are kept between runs")
    return parser.parse_args(arguments)


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _arms(text: str) -> list[str]:
    names = _names(text)
    if unknown := sorted(set(names) - set(ARMS)):
        raise argparse.ArgumentTypeError(f"no arm is called {', '.join(unknown)}; those here: {', '.join(ARMS)}")
    return names


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no folder")
    return Path(text)


def _model(text: str) -> tuple[str, Path]:
    name, _, folder = text.partition("=")
    if not name or not (Path(folder) / MANIFEST).is_file():
        raise argparse.ArgumentTypeError(f"{text}: expected SET=DIR, with a {MANIFEST} in DIR")
    return name, Path(folder).absolute()


def _measure(arm: str, sampled: Sampled, place: Place, out: Path) -> None:
    start = time.perf_counter()
    with open_arm(arm, sampled.found, place) as opened:
        warm_up(opened.arm)
        ready_s = time.perf_counter() - start
        result = _result(arm, sampled, opened)
    if arm in OURS and sampled.found.name in place.models:
        result["model_of_set"] = place.models[sampled.found.name].name
    result["ready_s"] = round(ready_s, 2)
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{arm}-{sampled.found.name}.json"
    path.write_text(json.dumps(result, ensure_ascii=False) + "\n", encoding="utf-8")
    every = result["groups"]["all"]["measures"]
    print(
        f"{sampled.found.name:24} {arm:20} R@5 {every['Recall@5']['value']:.3f} NDCG@10 {every['NDCG@10']['value']:.3f}"
        f" p50 {result['latency_p50_ms']:.1f} ms, {time.perf_counter() - start:.0f} s",
        file=sys.stderr,
    )


def _result(arm: str, sampled: Sampled, opened: Opened) -> dict[str, Any]:
    found = sampled.found
    run = run_queries(opened.arm, found.queries, depth=DEPTH)
    stepwise = run_subqueries(opened.arm, found.queries, depth=DEPTH)
    answerable = [query for query in found.queries if query.relevant]
    values = per_query(answerable, run, found.server_of)
    kept = {name: values[:, list(MEASURES).index(name)].round(4).tolist() for name in KEPT_PER_QUERY}
    return {
        "arm": arm,
        "set": found.name,
        "at": datetime.now(UTC).date().isoformat(),
        "versions": {"python": platform.python_version(), **opened.versions},
        "tools": len(found.tools),
        "tools_of": sampled.tools_of,
        "queries": len(found.queries),
        "queries_of": sampled.queries_of,
        "seed": SEED,
        "draws": DRAWS,
        **asdict(report(found, run, stepwise=stepwise, cost=line_cost(found))),
        "per_query": kept,
    }


def _note_missing(out: Path, tried: Sequence[str], missing: dict[str, str]) -> None:
    """Arms that this run did not try keep the note of the run before."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "not_installed.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    noted = {arm: how for arm, how in before.items() if arm not in tried} | missing
    path.write_text(json.dumps(noted, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

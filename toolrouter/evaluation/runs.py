"""Runs: what an arm ranked and returned for every query of a set. One JSON object per line on disk."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from toolrouter.errors import ConfigError
from toolrouter.evaluation.arms import Arm, Ranking
from toolrouter.evaluation.sets import Query
from toolrouter.types import Hit, ToolId

Run = Mapping[str, Ranking]
"""Query id to ranking. A query that is missing was not answered, and counts as such."""


def run_queries(
    arm: Arm, queries: Sequence[Query], *, depth: int, on_done: Callable[[int], None] | None = None
) -> dict[str, Ranking]:
    """Asks each query as it stands, one at a time."""
    return _run(arm, ((query.id, [query.text]) for query in queries), depth, on_done)


def run_subqueries(
    arm: Arm, queries: Sequence[Query], *, depth: int, on_done: Callable[[int], None] | None = None
) -> dict[str, Ranking]:
    """Asks the sub-queries of each query in one request, for as many tools as the query itself would get."""
    return _run(arm, ((query.id, query.subqueries) for query in queries if query.subqueries), depth, on_done)


def _run(
    arm: Arm, requests: Iterable[tuple[str, Sequence[str]]], depth: int, on_done: Callable[[int], None] | None
) -> dict[str, Ranking]:
    run: dict[str, Ranking] = {}
    for query_id, texts in requests:
        run[query_id] = arm(texts, depth)
        if on_done:
            on_done(len(run))
    return run


def check_place(path: Path) -> None:
    """Says before the work what `write_run` would say after it, as far as it shows. Raises ConfigError."""
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; name a file to write the rankings to")
    if not path.parent.is_dir():
        raise ConfigError(f"{path} cannot be written: there is no folder {path.parent}")


def write_run(path: Path, run: Run) -> None:
    """Writes `{"id", "hits": [{"id", "score"}], "answered"}`, one line per query. Raises ConfigError."""
    rows = (
        {
            "id": query_id,
            "hits": [{"id": hit.id, "score": round(hit.score, 6)} for hit in ranking.hits],
            "answered": ranking.answered,
        }
        for query_id, ranking in run.items()
    )
    try:
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error


def read_run(path: Path) -> dict[str, Ranking]:
    """Reads what `write_run` wrote, or another program in its place. Raises ConfigError."""
    run: dict[str, Ranking] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
            hits = tuple(Hit(ToolId(hit["id"]), float(hit.get("score", 0))) for hit in row["hits"])
            answered = bool(row.get("answered", bool(hits)))
            run[row["id"]] = Ranking(hits, answered, hits if answered else (), 0.0)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ConfigError(f'{path}:{number}: expected {{"id", "hits": [{{"id", "score"}}], "answered"}}') from error
    return run


def warm_up(arm: Arm) -> float:
    """Answers once, so that nothing is loaded while the clock runs. Returns the seconds it took."""
    start = time.perf_counter()
    arm(["warm up"], 1)
    return time.perf_counter() - start

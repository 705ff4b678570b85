"""From a run to numbers: measures by kind with intervals, answering, tokens, latency; as a value, JSON or tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from toolrouter.evaluation.bootstrap import Interval, Values, interval, intervals
from toolrouter.evaluation.measures import MEASURES, Judged, judged
from toolrouter.evaluation.runs import Run
from toolrouter.evaluation.sets import EvalSet, Query
from toolrouter.types import JsonObject

Cost = Callable[[str], int]
"""Tool id to the tokens of the line that is returned for it."""

ALL = "all"


@dataclass(frozen=True, slots=True)
class Group:
    """The measures of some queries with gold."""

    queries: int
    measures: Mapping[str, Interval]
    returned_recall: Interval
    """The share of gold within what is really returned, after thresholds and budgets."""
    returned_tools: float
    returned_tokens: float


@dataclass(frozen=True, slots=True)
class Answering:
    """Whether the arm knows when it has nothing."""

    answerable: int
    answer_rate: Interval | None
    """The share of queries with gold that got an answer."""
    unanswerable: int
    false_answer_rate: Interval | None
    """The share of queries that no tool serves, and that got an answer all the same."""


@dataclass(frozen=True, slots=True)
class Report:
    groups: Mapping[str, Group]
    """By kind; `all` first; `<kind> (sub-queries)` where a kind was asked step by step as well."""
    answering: Answering
    latency_p50_ms: float
    latency_p95_ms: float

    def to_json(self) -> JsonObject:
        return asdict(self)


def report(found: EvalSet, run: Run, *, stepwise: Run | None = None, cost: Cost) -> Report:
    """Judges a run; `stepwise` is the run of the sub-queries."""
    groups = {kind: _group(queries, found, run, cost) for kind, queries in by_kind(found.queries).items()}
    asked = [query for query in found.queries if stepwise and query.id in stepwise and query.relevant]
    if asked and stepwise:
        groups |= {
            f"{kind} (sub-queries)": _group(queries, found, stepwise, cost)
            for kind, queries in by_kind(asked).items()
            if kind != ALL or len(by_kind(asked)) == 1
        }
    times = [ranking.elapsed_ms for ranking in run.values()] or [0.0]
    p50, p95 = np.percentile(times, [50, 95])
    return Report(groups, _answering(found.queries, run), float(p50), float(p95))


def differences(found: EvalSet, run: Run, other: Run) -> dict[str, dict[str, Interval]]:
    """What a run gains on another one, by kind and measure: means of differences, query by query."""
    gains: dict[str, dict[str, Interval]] = {}
    for kind, queries in by_kind(found.queries).items():
        after, before = (per_query(queries, each, found.server_of) for each in (run, other))
        gains[kind] = dict(zip(MEASURES, intervals(after - before), strict=True))
    return gains


def by_kind(queries: Sequence[Query]) -> dict[str, list[Query]]:
    """Queries with gold: all of them, then each kind; languages also together as `lang`."""
    groups: dict[str, list[Query]] = {ALL: []}
    for query in queries:
        if not query.relevant:
            continue
        family = query.kind.partition(":")[0]
        for kind in dict.fromkeys((ALL, family, query.kind)):
            if kind:
                groups.setdefault(kind, []).append(query)
    return {kind: asked for kind, asked in groups.items() if asked}


def per_query(queries: Sequence[Query], run: Run, server_of: Mapping[str, str]) -> Values:
    """Every measure of every query, shape (queries, measures), in the order of MEASURES."""
    rows = [_judge(query, run, server_of) for query in queries]
    values = [[measure(one) for measure in MEASURES.values()] for one in rows]
    return np.array(values, dtype=np.float64).reshape(len(rows), len(MEASURES))


def _judge(query: Query, run: Run, server_of: Mapping[str, str]) -> Judged:
    ranking = run.get(query.id)
    return judged(query, [hit.id for hit in ranking.hits] if ranking else [], server_of)


def _group(queries: Sequence[Query], found: EvalSet, run: Run, cost: Cost) -> Group:
    server_of = found.server_of
    columns = np.column_stack([per_query(queries, run, server_of), _returned_recall(queries, run, server_of)])
    *measures, returned = intervals(columns)
    shown = [ranking.returned for query in queries if (ranking := run.get(query.id))]
    named = dict(zip(MEASURES, measures, strict=True))
    if len(set(server_of.values())) < 2:  # nothing to route
        del named["ServerRecall@5"]
    return Group(
        len(queries),
        named,
        returned,
        sum(map(len, shown)) / len(queries),
        sum(cost(hit.id) for hits in shown for hit in hits) / len(queries),
    )


def _returned_recall(queries: Sequence[Query], run: Run, server_of: Mapping[str, str]) -> list[float]:
    shown = [[hit.id for hit in run[query.id].returned] if query.id in run else [] for query in queries]
    gold = [judged(query, ids, server_of) for query, ids in zip(queries, shown, strict=True)]
    return [len(one.gold_ranks) / one.gold for one in gold]


def _answering(queries: Sequence[Query], run: Run) -> Answering:
    answered = {True: [], False: []}  # type: dict[bool, list[float]]
    for query in queries:
        answered[bool(query.relevant)].append(float(query.id in run and run[query.id].answered))
    with_gold, without = answered[True], answered[False]
    return Answering(
        len(with_gold),
        interval(with_gold) if with_gold else None,
        len(without),
        interval(without) if without else None,
    )

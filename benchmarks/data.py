"""Sets to measure on: the one that ships with toolrouter, and any folder of `NAME/{tools,queries}.jsonl`."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from toolrouter.evaluation.recorded import recorded_set
from toolrouter.evaluation.sets import EvalSet, Query, read_set

SEED = 20_260_731
RECORDED = "recorded"


@dataclass(frozen=True, slots=True)
class Sampled:
    """A set, cut to a size that every arm can be run on in minutes."""

    found: EvalSet
    tools_of: int
    queries_of: int


def set_names(data: Path | None) -> list[str]:
    """The recorded set, and every folder with queries but `train*`, which models may have been fitted on."""
    folders = sorted(data.iterdir()) if data else []
    return [RECORDED] + [one.name for one in folders if _has_queries(one) and not one.name.startswith("train")]


def _has_queries(folder: Path) -> bool:
    queries = folder / "queries.jsonl"
    return (folder / "tools.jsonl").is_file() and queries.is_file() and queries.stat().st_size > 0


def load_set(name: str, data: Path | None, *, max_tools: int, max_queries: int) -> Sampled:
    found = recorded_set() if name == RECORDED else _read(name, data)
    # Sets with kinds are written by hand: small, and each query of a rare kind counts.
    by_hand = any(query.kind for query in found.queries)
    queries = found.queries if by_hand else _sample_queries(found.queries, max_queries)
    tools = found.tools
    if len(tools) > max_tools:
        needed = set(_needed(queries))
        others = [tool for tool in tools if str(tool.id) not in needed]
        drawn = random.Random(SEED).sample(others, max(0, max_tools - (len(tools) - len(others))))
        kept = needed | {str(tool.id) for tool in drawn}
        tools = tuple(tool for tool in tools if str(tool.id) in kept)
    sampled = replace(found, name=name, tools=tools, queries=queries)
    return Sampled(sampled, len(found.tools), len(found.queries))


def _read(name: str, data: Path | None) -> EvalSet:
    if data is None:
        raise SystemExit(f"{name} is not shipped; say with --data DIR where {name}/tools.jsonl is")
    return read_set(data / name / "tools.jsonl", data / name / "queries.jsonl", name=name)


def _sample_queries(queries: Sequence[Query], most: int) -> tuple[Query, ...]:
    if len(queries) <= most:
        return tuple(queries)
    kept = set(random.Random(SEED).sample(range(len(queries)), most))
    return tuple(query for at, query in enumerate(queries) if at in kept)


def _needed(queries: Sequence[Query]) -> Iterator[str]:
    for query in queries:
        yield from query.relevant
        for twins in query.alt.values():
            yield from twins

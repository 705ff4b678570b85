"""Twins: tools of several servers with one and the same definition, as a server configured twice brings them. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from toolrouter.types import Hit, Tool, ToolId


def twins(tools: Sequence[Tool]) -> dict[ToolId, str]:
    """Return the tools that have twins, with the hash of their definition."""
    alike: dict[str, dict[str, ToolId]] = defaultdict(dict)
    for tool in tools:
        if tool.hash:
            alike[tool.hash].setdefault(tool.server, tool.id)
    return {tool_id: each for each, found in alike.items() if len(found) > 1 for tool_id in found.values()}


def fold(rankings: Sequence[Sequence[Hit]], twins: Mapping[ToolId, str]) -> list[list[Hit]]:
    """Return the rankings of one request with each definition once, where its best twin stands.

    The same twin stands for the others in all rankings, and names them. What a query calls by name stands for itself.
    A probability is that of any twin, since they have divided it among themselves; but no more than that of the hit
    before, which one tool alone would not have passed either.
    """
    if not twins or not any(hit.id in twins for ranking in rankings for hit in ranking):
        return [list(ranking) for ranking in rankings]
    every = [hit for ranking in rankings for hit in ranking if hit.id in twins]
    named = {hit.id for hit in every if "named" in hit.parts}
    shown: dict[str, ToolId] = {}
    for hit in sorted(every, key=lambda hit: hit.id not in named):
        shown.setdefault(twins[hit.id], hit.id)
    also: dict[ToolId, dict[ToolId, None]] = defaultdict(dict)
    for hit in every:
        if (stands := shown[twins[hit.id]]) != hit.id and hit.id not in named:
            also[stands][hit.id] = None
    stands_for = {twin: stands for stands, others in also.items() for twin in others}
    return [_folded(ranking, stands_for, also) for ranking in rankings]


def _folded(
    ranking: Sequence[Hit], stands_for: Mapping[ToolId, ToolId], also: Mapping[ToolId, Mapping[ToolId, None]]
) -> list[Hit]:
    best: dict[ToolId, Hit] = {}
    shared: dict[ToolId, float] = {}
    for hit in ranking:
        stands = stands_for.get(hit.id, hit.id)
        best.setdefault(stands, hit)
        if stands in also:
            shared[stands] = min(1.0, shared.get(stands, 0.0) + hit.score)
    folded: list[Hit] = []
    for stands, hit in best.items():
        if stands in also:
            most = folded[-1].score if folded else 1.0
            folded.append(replace(hit, id=stands, score=min(most, shared[stands]), also=tuple(also[stands])))
        else:
            folded.append(hit)
    return folded

"""Servers that cannot be reached now: their tools are found still, but below others, and with a mark."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from toolrouter.types import Hit, ServerState, ToolId

if TYPE_CHECKING:
    from toolrouter.catalog.snapshot import Catalog
    from toolrouter.retrieval.search import SearchAnswer

WEIGHT = 0.5
"""Of a hit whose server failed at its last start. It may be back: a hit that fits much better stays above others."""
MARK = "[server unavailable at the last attempt]"
_UNTRIED = frozenset({ServerState.NEW, ServerState.SLEEPING})


def is_unavailable(state: ServerState, last_error: str) -> bool:
    """Whether the last start failed, of this process or, before it has tried, of an earlier one."""
    return state is ServerState.FAILED or (bool(last_error) and state in _UNTRIED)


def ranked_by_standing(answer: SearchAnswer, catalog: Catalog, unavailable: Collection[str]) -> SearchAnswer:
    """The same hits with their scores; those of unavailable servers rank lower, or give way to a twin."""
    if not unavailable:
        return answer

    def sort(hits: Sequence[Hit]) -> tuple[Hit, ...]:
        return tuple(sorted(map(had, hits), key=lambda hit: -weighed(hit)))

    def had(hit: Hit) -> Hit:
        """With the first twin in front that can be had."""
        best, *others = sorted((hit.id, *hit.also), key=is_away)
        return hit if best == hit.id else replace(hit, id=best, also=tuple(others))

    def weighed(hit: Hit) -> float:
        return hit.score * (WEIGHT if is_away(hit.id) else 1.0)

    def is_away(tool_id: ToolId) -> bool:
        tool = catalog.tools.get(tool_id)
        return tool is not None and tool.server in unavailable

    return replace(answer, hits=sort(answer.hits), per_query=tuple(map(sort, answer.per_query)))

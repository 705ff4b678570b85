"""Servers that cannot be reached now: their tools are found still, but below others, and with a mark."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from toolrouter.types import Hit, ServerState

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
    """The same hits with their scores; those of unavailable servers rank lower."""
    if not unavailable:
        return answer

    def sort(hits: Sequence[Hit]) -> tuple[Hit, ...]:
        return tuple(sorted(hits, key=lambda hit: -weighed(hit)))

    def weighed(hit: Hit) -> float:
        tool = catalog.tools.get(hit.id)
        return hit.score * (WEIGHT if tool is not None and tool.server in unavailable else 1.0)

    return replace(answer, hits=sort(answer.hits), per_query=tuple(map(sort, answer.per_query)))

"""Which servers are newcomers: approved by a mode alone, and only after others had been there for a while."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from toolrouter.catalog.decisions import AUTOMATIC

if TYPE_CHECKING:
    from toolrouter.types import Decision

SET_UP_TOGETHER_S: Final = 86_400.0
"""Servers that came within this time of the first one were set up with it."""
PROVEN_AFTER_S: Final = 30 * 86_400.0
"""A server that has been there for so long is a newcomer no more."""


def newcomers(decisions: Iterable[Decision], now: float) -> frozenset[str]:
    """Returns the servers of which no person has approved anything and that came late and lately."""
    first: dict[str, float] = {}
    vetted: set[str] = set()
    for made in decisions:
        if made.approved:
            first[made.server] = min(made.at, first.get(made.server, made.at))
            if made.by not in AUTOMATIC:
                vetted.add(made.server)
    if not first:
        return frozenset()
    begun = min(first.values())
    return frozenset(
        server
        for server, at in first.items()
        if server not in vetted and at - begun > SET_UP_TOGETHER_S and now - at < PROVEN_AFTER_S
    )

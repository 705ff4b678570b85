"""Diversity: among hits that are as good as each other, one of each server before the second of any."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from toolrouter.types import Hit, ToolId

TIE: Final = 0.05
"""Hits whose scores differ by less than this share of the better one count as equally good."""
REACH: Final = 30
"""How many leading hits are put in order."""


def spread(hits: Sequence[Hit], server_of: Callable[[ToolId], str]) -> list[Hit]:
    """Return the ranking with ties resolved for servers that were shown less; what is clearly better stays ahead.

    Scores stay at their ranks: those that change places were as good as equal, and no score rises down the list.
    """
    waiting = list(hits[:REACH])
    ordered: list[Hit] = []
    shown: Counter[str] = Counter()
    while waiting:
        enough = waiting[0].score * (1 - TIE)
        tied = [hit for hit in waiting if hit.score >= enough]
        chosen = min(tied, key=lambda hit: shown[server_of(hit.id)])
        shown[server_of(chosen.id)] += 1
        waiting.remove(chosen)
        ordered.append(replace(chosen, score=hits[len(ordered)].score))
    return ordered + list(hits[REACH:])

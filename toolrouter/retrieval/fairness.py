"""A ranking that cannot be farmed: newcomers take few slots, and copies yield to what they copy. Pure.

Newcomers are servers that no person has vetted and that came after the others. Everybody else competes freely.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from toolrouter.catalog.boasts import without_boasts
from toolrouter.index.words import words
from toolrouter.types import Hit, Tool, ToolId

SHARE: Final = 5
"""A newcomer gets one slot of so many. Of fewer it gets none where anybody else fits: one of three is a third."""
BELIEVED: Final = 0.3
"""A newcomer's score up to here counts in any case."""
RIVAL: Final = 0.15
"""Others fit from this share of the score of the newcomer's hit that would have to yield."""
ALIKE: Final = 0.8
"""Share of common words (Jaccard) from which a tool counts as a copy, whatever its name."""
READ_CHARS: Final = 2_000
MIN_WORDS: Final = 4


@dataclass(frozen=True, slots=True)
class Standing:
    """Who has to hold back in an index."""

    newcomers: frozenset[str] = frozenset()
    copies: Mapping[ToolId, ToolId] = field(default_factory=dict)
    """Tools of newcomers with the older tool of another server that each nearly equals."""


def standing(tools: Sequence[Tool], newcomers: Collection[str]) -> Standing:
    """Returns who has to hold back among these tools."""
    present = frozenset(newcomers) & {tool.server for tool in tools}
    return Standing(present, _copies(tools, present)) if present else Standing()


def fair(ranked: Sequence[Hit], standing: Standing, server_of: Callable[[ToolId], str], k: int) -> list[Hit]:
    """Return a ranking in which no newcomer floods the first `k` and no copy stands before what it copies.

    Where anybody else fits, what has to hold back is left out: a search among that server's tools alone finds it.
    Where nobody else fits, a newcomer fills the answer.
    """
    if not standing.newcomers:
        return list(ranked)
    ids = {hit.id for hit in ranked}
    slots = k // SHARE
    shown: Counter[str] = Counter()
    first: list[Hit] = []
    held: list[Hit] = []
    for hit in ranked:
        server = server_of(hit.id)
        if server in standing.newcomers and (standing.copies.get(hit.id) in ids or shown[server] >= slots):
            held.append(hit)
        else:
            shown[server] += 1
            first.append(hit)
    if not held:
        return first
    others = max((hit.score for hit in first if server_of(hit.id) not in standing.newcomers), default=0.0)
    if others >= min(BELIEVED, max(hit.score for hit in held) * RIVAL):
        return first
    return sorted([*first, *held], key=lambda hit: -hit.score)


def beside(others: Sequence[Hit], newcomers: Sequence[Hit]) -> list[Hit]:
    """Return one ranking of hits that were ranked apart.

    A newcomer may stand first, but is not believed to fit far better than all others: what is shown of them is
    measured by the best hit.
    """
    most = max(others[0].score if others else 1.0, BELIEVED)
    told = [replace(hit, score=min(hit.score, most)) for hit in newcomers]
    merged = [*told, *others]
    return sorted(merged, key=lambda hit: -hit.score)


def _copies(tools: Sequence[Tool], newcomers: Collection[str]) -> dict[ToolId, ToolId]:
    older: dict[str, list[int]] = defaultdict(list)
    said = [_said(tool) for tool in tools]
    for row, tool in enumerate(tools):
        if tool.server not in newcomers:
            for word in said[row]:
                older[word].append(row)
    found: dict[ToolId, ToolId] = {}
    for row, tool in enumerate(tools):
        if tool.server in newcomers and len(said[row]) >= MIN_WORDS:
            common = Counter(other for word in said[row] for other in older.get(word, ()))
            alike = {other: count / len(said[row] | said[other]) for other, count in common.items()}
            best = max(alike, key=lambda other: (alike[other], -other), default=-1)
            if best >= 0 and alike[best] >= ALIKE:
                found[tool.id] = tools[best].id
    return found


def _said(tool: Tool) -> frozenset[str]:
    return frozenset(words(without_boasts(tool.description[:READ_CHARS])))

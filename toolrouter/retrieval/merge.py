"""Several rankings into one, fairly: each query's best first, each tool once."""

from __future__ import annotations

from collections.abc import Sequence

from toolrouter.types import Hit, ToolId


def merge(rankings: Sequence[Sequence[Hit]]) -> list[Hit]:
    """Return all hits, round by round: the best of each ranking, then the next of each.

    Within a round the more probable comes first, ties by id. A tool that another ranking has taken already
    does not use up a turn. A tool's score is the best that any query gave it.
    """
    best: dict[ToolId, Hit] = {}
    for ranking in rankings:
        for hit in ranking:
            known = best.get(hit.id)
            if known is None or hit.score > known.score:
                best[hit.id] = hit
    waiting = [iter(ranking) for ranking in rankings]
    merged: dict[ToolId, Hit] = {}
    while waiting:
        turn: dict[ToolId, Hit] = {}
        still = []
        for left in waiting:
            fresh = next((hit.id for hit in left if hit.id not in merged and hit.id not in turn), None)
            if fresh is not None:
                turn[fresh] = best[fresh]
                still.append(left)
        merged.update((hit.id, hit) for hit in sorted(turn.values(), key=lambda hit: (-hit.score, hit.id)))
        waiting = still
    return list(merged.values())

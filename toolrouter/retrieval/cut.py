"""How much of a ranking is worth showing: by number, probability and tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from toolrouter.types import Hit, ToolId

FAR_BELOW_BEST: Final = 0.08
"""A hit with less than this share of the best hit's probability is noise beside it."""
ANSWERED_FROM: Final = 0.5
"""The fit, as hits carry it, from which on a query is answered."""
HOPELESS: Final = 0.005
SPARED: Final = 5
"""So many hits are shown once the best one fits: a model that sees no alternative cannot take it."""


def cut(
    hits: Sequence[Hit],
    *,
    k: int,
    min_score: float,
    token_budget: int,
    cost: Callable[[ToolId], int],
    newcomers: int = 0,
) -> list[Hit]:
    """Return the leading hits that are worth their tokens; the first one that is, whatever it costs.

    None when the query as a whole is none that these tools serve: a hit's part `fit` says how far it is.
    With `min_score` 0 nothing is judged: the ranking is cut by `k` and the budget alone. What is spared is still not
    shown below `HOPELESS`. The slots of `newcomers` come on top of the spared ones: they take no other tool's place,
    and are some of at least so many.
    """
    kept: list[Hit] = []
    spent = 0
    if min_score and hits and hits[0].parts.get("fit", 1.0) < ANSWERED_FROM:
        return []
    for hit in hits[:k]:
        more = spent + cost(hit.id)
        if hit.score < _floor(kept, min_score, newcomers) or (kept and more > token_budget):
            break
        kept.append(hit)
        spent = more
    return [*kept, *_of_steps(hits[len(kept) :], k - len(kept), token_budget - spent, cost)] if kept else []


def _of_steps(hits: Sequence[Hit], most: int, token_budget: int, cost: Callable[[ToolId], int]) -> list[Hit]:
    """Return what single steps of a task ask for, however little it serves the whole."""
    found: list[Hit] = []
    for hit in [hit for hit in hits if "step" in hit.parts][:most]:
        token_budget -= cost(hit.id)
        if token_budget < 0:
            break
        found.append(hit)
    return found


def _floor(kept: Sequence[Hit], min_score: float, newcomers: int) -> float:
    if not min_score or not kept:
        return min_score
    if len(kept) < SPARED + newcomers:
        return 0.0 if newcomers else min(min_score, HOPELESS)
    return max(min_score, FAR_BELOW_BEST * kept[0].score)

"""A task of several steps: its ranking has what its steps need, though none of it may serve the whole best. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Final

from toolrouter.retrieval.cut import ANSWERED_FROM
from toolrouter.types import Hit, ToolId

OF_THE_WHOLE: Final = 5
"""So many hits of the task as a whole stay in front."""
OF_EACH: Final = 2
"""So many of each step follow: first the best of each, then the next of each."""


def with_steps(whole: Sequence[Hit], steps: Sequence[Sequence[Hit]]) -> list[Hit]:
    """Return the ranking of a task with the best hits of each step; what a step asks for says so in its part `step`.

    The hit at each rank has the score that this rank had: scores of different questions cannot be compared. A step that
    nothing fits has no hits.
    """
    turns = _turns(steps)
    marked = [replace(hit, parts={**hit.parts, "step": 1.0}) if hit.id in turns else hit for hit in whole]
    front = marked[:OF_THE_WHOLE]
    # The sort is stable: what no step asks for keeps its order.
    rest = sorted(marked[OF_THE_WHOLE:], key=lambda hit: turns.get(hit.id, len(turns)))
    return [replace(hit, score=rank.score) for hit, rank in zip([*front, *rest], whole, strict=True)]


def _turns(steps: Sequence[Sequence[Hit]]) -> dict[ToolId, int]:
    """Return which turn each tool has that a step asks for."""
    fitting = [step[:OF_EACH] for step in steps if step and step[0].parts["fit"] >= ANSWERED_FROM]
    wanted = dict.fromkeys(hit.id for turn in zip_longest(*fitting) for hit in turn if hit is not None)
    return {tool_id: turn for turn, tool_id in enumerate(wanted)}

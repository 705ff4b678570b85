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
    wanted = _wanted(steps)
    known = {hit.id: hit for hit in whole}
    front = list(whole[:OF_THE_WHOLE])
    asked_for = [tool_id for tool_id in wanted if tool_id in known and tool_id not in {hit.id for hit in front}]
    first = {*(hit.id for hit in front), *asked_for}
    ordered = [*front, *(known[tool_id] for tool_id in asked_for), *(hit for hit in whole if hit.id not in first)]
    return [
        replace(hit, score=at.score, parts={**hit.parts, **({"step": 1.0} if hit.id in wanted else {})})
        for hit, at in zip(ordered, whole, strict=True)
    ]


def _wanted(steps: Sequence[Sequence[Hit]]) -> list[ToolId]:
    fitting = [step[:OF_EACH] for step in steps if step and step[0].parts["fit"] >= ANSWERED_FROM]
    return list(dict.fromkeys(hit.id for turn in zip_longest(*fitting) for hit in turn if hit is not None))

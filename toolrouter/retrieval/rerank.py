"""The optional second stage: a reranker reads the leading hits again and puts them in its own order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from toolrouter.ports import Reranker
from toolrouter.types import Hit, ToolId

DEPTH: Final = 20
"""How many leading hits are read again."""


def rerank(
    query: str, hits: Sequence[Hit], reranker: Reranker, text_of: Callable[[ToolId], str], *, depth: int = DEPTH
) -> list[Hit]:
    """Return the hits with the first `depth` in the reranker's order; ties keep theirs.

    A reranker's scores are no probabilities: the calibrated ones stay at their ranks, and each hit's `parts` say
    what the reranker thought of it. Raises ModelError when the reranker fails.
    """
    read = hits[:depth]
    thought = reranker.scores(query, [text_of(hit.id) for hit in read])
    order = sorted(range(len(read)), key=lambda at: -thought[at])
    found = [
        replace(read[at], score=read[rank].score, parts={**read[at].parts, "reranker": float(thought[at])})
        for rank, at in enumerate(order)
    ]
    return found + list(hits[depth:])

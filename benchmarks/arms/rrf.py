"""Reciprocal rank fusion, k = 60, of the BM25 and the MiniLM arm: the hybrid that most gateways ship."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.arms import Opened, Place, bm25, minilm
from toolrouter.evaluation.arms import retriever_arm
from toolrouter.evaluation.sets import EvalSet
from toolrouter.types import Hit, ToolId

ABOUT = "RRF (k = 60) of the two"
K = 60
DEPTH = 100


@contextmanager
def open_arm(found: EvalSet, place: Place) -> Iterator[Opened]:
    words = bm25.retriever(found)
    with minilm.open_arm(found, place) as meaning:

        def search(query: str, k: int) -> list[Hit]:
            shares: dict[ToolId, list[float]] = defaultdict(list)
            for hits in (words(query, DEPTH), meaning.arm([query], DEPTH).hits):
                for rank, hit in enumerate(hits, 1):
                    shares[hit.id].append(1 / (K + rank))
            # fsum: a plain sum would depend on the order of the parts in its last bit.
            scores = {tool_id: math.fsum(parts) for tool_id, parts in shares.items()}
            ranked = sorted(scores, key=lambda tool_id: (-scores[tool_id], tool_id))
            return [Hit(tool_id, scores[tool_id]) for tool_id in ranked[:k]]

        yield Opened(retriever_arm(search), meaning.versions)

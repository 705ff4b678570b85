"""Rankings to tune on: what each way to rank makes of each query, uncut."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from toolrouter.evaluation.arms import NO_BUDGET
from toolrouter.evaluation.sets import Query
from toolrouter.evaluation.tuning import DEPTH, Rankings, Way
from toolrouter.retrieval.search import SearchOptions, search
from toolrouter.retrieval.search_index import SearchIndex
from toolrouter.types import Hit


def rank_all(
    index: SearchIndex,
    queries: Sequence[Query],
    ways: Iterable[Way],
    *,
    on_done: Callable[[int], None] | None = None,
) -> Rankings:
    """Asks every query as an agent would: step by step where its sub-queries are known."""
    rankings: dict[Way, list[Sequence[Hit]]] = {way: [] for way in ways}
    for number, query in enumerate(queries, 1):
        for way, ranked in rankings.items():
            uncut = SearchOptions(
                k=DEPTH, min_score=0.0, token_budget=NO_BUDGET, retriever=way.retriever, lean=way.lean
            )
            ranked.append(search(index, query.subqueries or (query.text,), uncut).hits)
        if on_done:
            on_done(number)
    return rankings

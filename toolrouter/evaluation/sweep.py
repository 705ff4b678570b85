"""Rankings to tune on: what each retriever makes of each query, uncut."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from toolrouter.evaluation.arms import NO_BUDGET
from toolrouter.evaluation.sets import Query
from toolrouter.evaluation.tuning import DEPTH, Rankings
from toolrouter.retrieval.search import SearchOptions, search
from toolrouter.retrieval.search_index import SearchIndex
from toolrouter.types import Hit


def rank_all(
    index: SearchIndex,
    queries: Sequence[Query],
    retrievers: Sequence[str],
    *,
    on_done: Callable[[int], None] | None = None,
) -> Rankings:
    """Asks every query as an agent would: step by step where its sub-queries are known."""
    rankings: dict[str, list[Sequence[Hit]]] = {name: [] for name in retrievers}
    for number, query in enumerate(queries, 1):
        for name in retrievers:
            uncut = SearchOptions(k=DEPTH, min_score=0.0, token_budget=NO_BUDGET, retriever=name)
            rankings[name].append(search(index, query.subqueries or (query.text,), uncut).hits)
        if on_done:
            on_done(number)
    return rankings

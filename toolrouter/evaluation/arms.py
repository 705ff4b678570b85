"""Arms: whatever answers queries over a set, brought into one shape so that all are judged alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from toolrouter.errors import ModelError
from toolrouter.ports import Reranker
from toolrouter.retrieval.cut import cut
from toolrouter.retrieval.search import SearchOptions, search
from toolrouter.retrieval.search_index import SearchIndex
from toolrouter.types import Hit, Retriever

NO_BUDGET = 10**9


@dataclass(frozen=True, slots=True)
class Ranking:
    """What an arm made of one request."""

    hits: tuple[Hit, ...]
    """The ranking to the depth asked for, uncut."""
    answered: bool
    returned: tuple[Hit, ...]
    """What the person or the model would be shown: after thresholds and budgets; empty when not answered."""
    elapsed_ms: float


Arm = Callable[[Sequence[str], int], Ranking]
"""`(queries, depth) -> one ranking`: several queries are one request, and share the depth."""


def open_arm(index: SearchIndex, options: SearchOptions, reranker: Reranker | None = None) -> Arm:
    """The arm that `options.retriever` names; the embedder alone is not reranked. Raises ModelError."""
    return dense_arm(index, options) if options.retriever == "dense" else router_arm(index, options, reranker)


def router_arm(index: SearchIndex, options: SearchOptions, reranker: Reranker | None = None) -> Arm:
    """Toolrouter's own search. `options` decide what is returned; the ranking itself is not cut.

    The time is that of the search as it is served: the uncut ranking is made afterwards. A reranker that fails raises
    ModelError: the first stage alone is not what was to be measured.
    """
    uncut = replace(options, min_score=0.0, token_budget=NO_BUDGET, fold=False)

    def answer(queries: Sequence[str], depth: int) -> Ranking:
        served = search(index, queries, options, reranker=reranker)
        if reranker is not None and served.warning:
            raise ModelError(served.warning)
        ranked = search(index, queries, replace(uncut, k=depth), reranker=reranker)
        shown = tuple(_named(served.hits)) if served.answered else ()
        return Ranking(ranked.hits[:depth], served.answered, shown, served.elapsed_ms)

    return answer


def _named(hits: Sequence[Hit]) -> Iterator[Hit]:
    """Yields every tool that an answer names: a hit, then those it stands for."""
    for hit in hits:
        yield hit
        yield from (replace(hit, id=twin, also=()) for twin in hit.also)


def dense_arm(index: SearchIndex, options: SearchOptions) -> Arm:
    """The embedder alone: cosine similarity, nothing learned on top of it. It always answers.

    Raises:
        ModelError: the index has no vectors.
    """
    dense = index.dense
    if dense is None:
        raise ModelError("The index has no vectors to rank by.")

    def retrieve(query: str, k: int) -> list[Hit]:
        similarities, rows = dense.index.search(dense.embed([query]), k)
        return [
            Hit(index.ids[int(row)], float(similarity))
            for similarity, row in zip(similarities[0], rows[0], strict=True)
        ]

    plain = retriever_arm(retrieve)

    def answer(queries: Sequence[str], depth: int) -> Ranking:
        ranking = plain(queries, depth)
        shown = cut(ranking.hits, k=options.k, min_score=0.0, token_budget=options.token_budget, cost=index.cost_tokens)
        return replace(ranking, returned=tuple(shown))

    return answer


def retriever_arm(retriever: Retriever) -> Arm:
    """A plain retriever: it answers whenever it finds anything, and returns all that it was asked for."""

    def answer(queries: Sequence[str], depth: int) -> Ranking:
        start = time.perf_counter()
        hits = interleave([retriever(query, depth) for query in queries], depth)
        return Ranking(hits, bool(hits), hits, (time.perf_counter() - start) * 1000)

    return answer


def interleave(rankings: Sequence[Sequence[Hit]], depth: int) -> tuple[Hit, ...]:
    """Takes the best of each ranking, then the second of each, and so on; each tool once."""
    rounds = (hit for round_ in zip_longest(*rankings) for hit in round_ if hit is not None)
    distinct: dict[str, Hit] = {}
    for hit in rounds:
        distinct.setdefault(hit.id, hit)
    return tuple(distinct.values())[:depth]

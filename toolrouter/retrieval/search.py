"""The search: queries in, ranked and calibrated hits out. Synchronous and CPU-bound: callers use a thread."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from toolrouter.errors import ModelError
from toolrouter.index.words import STOP_WORDS, words
from toolrouter.ports import Reranker, Vectors
from toolrouter.retrieval.candidates import Allowed, Candidates, Request, gather
from toolrouter.retrieval.cut import SPARED, cut
from toolrouter.retrieval.fairness import beside, fair
from toolrouter.retrieval.features import FEATURES
from toolrouter.retrieval.fusion import DENSE, GENERIC, LEXICAL, leaning, load_fusion
from toolrouter.retrieval.glossary import gloss
from toolrouter.retrieval.merge import merge
from toolrouter.retrieval.names import BARE, QUALIFIED, Mention
from toolrouter.retrieval.rerank import rerank
from toolrouter.retrieval.search_index import SearchIndex
from toolrouter.retrieval.split import split_steps
from toolrouter.retrieval.spread import spread
from toolrouter.retrieval.tasks import with_steps
from toolrouter.retrieval.twins import fold
from toolrouter.types import Hit, ToolId

MAX_QUERY_CHARACTERS: Final = 8_000
NEAR_SERVERS: Final = 3
SCORE_OF_NAMED: Final = {QUALIFIED: 0.99, BARE: 0.95}
RANKED: Final = 100
RESPELT_WORDS: Final = 4
"""Longer queries are embedded as they are written: their unknown words are names, and the rest says enough."""
TASK_SHARE: Final = 0.5
"""Of the whole task in the vector of each of its steps."""

FIRST_STAGE_ALONE: Final = "The order is that of the first stage"
"""How the warning begins that says why a reranker was not heard."""

_SERVER_NAMED: Final = FEATURES.index("server_named")
_SHOWN: Final = [
    FEATURES.index(name) for name in ("cosine", "bm25", "in_name", "server_named", "same_action", "other_action")
]


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """What a caller wants of a search."""

    k: int = 8
    min_score: float = 0.01
    token_budget: int = 1000
    servers: frozenset[str] | None = None
    retriever: Literal["hybrid", "dense", "lexical"] | str = "hybrid"
    lean: float = 0.0
    """Of the hybrid retriever, from -1 (towards vectors) to 1 (towards words); at 0 it ranks as it was fitted."""
    fold: bool = True
    """Whether tools of several servers with one definition are one hit, which names the others."""


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The answer to one request of one or several queries."""

    hits: tuple[Hit, ...]
    """Merged over the queries, each tool once, best first."""
    per_query: tuple[tuple[Hit, ...], ...]
    answered: bool
    """Whether any tool fits; when not, `hits` is empty and `near_servers` names where to look."""
    near_servers: tuple[str, ...]
    elapsed_ms: float
    warning: str = ""
    near_per_query: tuple[tuple[str, ...], ...] = ()
    """The same for each query that nothing fits; none for others."""


def search(
    index: SearchIndex, queries: Sequence[str], options: SearchOptions, *, reranker: Reranker | None = None
) -> SearchAnswer:
    """Return the tools that serve the queries, cut by the options.

    A failing embedder costs a warning: the answer is then lexical alone. So does a failing `reranker`, which reads
    the leading hits again; tools that a query calls by name stay in front.
    """
    start = time.perf_counter()
    requests, warning = make_requests(index, [clean_query(query) for query in queries], options.retriever)
    allowed = _allowed(index, options.servers)
    profile = DENSE if options.retriever == "dense" else _profile(index)
    lean = options.lean if options.retriever == "hybrid" else 0.0
    rankings = [_rank_task(index, request, allowed, profile, lean) if request.text else [] for request in requests]
    if reranker is not None:
        rankings, warning = _reranked(index, requests, rankings, reranker, warning)
    if options.fold:
        rankings = fold(rankings, _foldable(index))
    per_query = tuple(tuple(_cut(index, ranking, options)) for ranking in rankings)
    # Each query's hits are judged beside its own best one: a weak one must not end those of the others.
    hits = tuple(_cut(index, merge(per_query), replace(options, min_score=0.0)))
    near = () if hits else _near_servers(index, rankings)
    each = (
        () if shown else _near_servers(index, [ranking]) for ranking, shown in zip(rankings, per_query, strict=True)
    )
    elapsed_ms = (time.perf_counter() - start) * 1000
    return SearchAnswer(hits, per_query, bool(hits), near, elapsed_ms, warning, tuple(each))


def make_requests(index: SearchIndex, queries: Sequence[str], retriever: str) -> tuple[list[Request], str]:
    """Return the queries ready to be searched for, split into steps where they have some, and a warning or ""."""
    plain = [Request(query, gloss(query), tuple(map(_glossed, split_steps(query)))) for query in queries]
    if index.dense is None or retriever == "lexical" or not any(queries):
        return plain, index.warning
    whole = [_embedded(index, request) for request in plain]
    steps = [step for request in plain for step in request.steps]
    texts = [text for text in dict.fromkeys([*whole, *steps]) if text]
    try:
        vectors = dict(zip(texts, index.dense.embed(texts), strict=True))
    except ModelError as error:
        return plain, f"Search is lexical alone: {error}"
    return [
        _with_vectors(request, vectors[text], vectors) if text else request
        for request, text in zip(plain, whole, strict=True)
    ], ""


def _glossed(step: str) -> str:
    return f"{step} {gloss(step)}".rstrip()


def _embedded(index: SearchIndex, request: Request) -> str:
    """Return what is embedded of a query: in a short one, one misspelt word is much of the meaning."""
    telling = sum(word not in STOP_WORDS for word in words(request.text))
    if request.gloss or telling > RESPELT_WORDS:
        return request.glossed
    return f"{request.text} {index.lexical.respell(request.text)}".rstrip()


def _with_vectors(request: Request, whole: Vectors, vectors: Mapping[str, Vectors]) -> Request:
    if not request.steps:
        return replace(request, vector=whole)
    # A step such as "merge it" means something beside the task it belongs to.
    in_context = np.stack([vectors[step] for step in request.steps]) + TASK_SHARE * whole
    in_context /= np.linalg.norm(in_context, axis=1, keepdims=True)
    return replace(request, vector=whole, step_vectors=in_context)


def clean_query(query: str) -> str:
    """Return a query without control characters, bounded in length: what is beyond would not change the answer."""
    text = query[:MAX_QUERY_CHARACTERS]
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _allowed(index: SearchIndex, servers: frozenset[str] | None) -> Allowed:
    if servers is None:
        return None
    named = np.array([alias in servers for alias in index.aliases], bool)
    return named[index.facts.server] if len(index) else np.zeros(0, bool)


def _rank_task(index: SearchIndex, request: Request, allowed: Allowed, profile: str, lean: float) -> list[Hit]:
    """Rank for the whole request, and for each step it has."""
    whole = _rank_apart(index, request, allowed, profile, lean)
    if not request.steps:
        return whole
    vectors = request.step_vectors if request.step_vectors is not None else [None] * len(request.steps)
    steps = [Request(step, vector=vector) for step, vector in zip(request.steps, vectors, strict=True)]
    return with_steps(whole, [_rank_apart(index, step, allowed, profile, lean) for step in steps])


def _rank_apart(index: SearchIndex, request: Request, allowed: Allowed, profile: str, lean: float) -> list[Hit]:
    """Rank all others as if no newcomer were there: one that repeats the query must not make them look worse."""
    newcomers = index.standing.newcomers
    ranked = _rank(index, request, allowed, profile, lean)
    if not newcomers or not ranked:
        return ranked
    new = np.array([alias in newcomers for alias in index.aliases], bool)[index.facts.server]
    others = _rank(index, request, ~new if allowed is None else allowed & ~new, profile, lean)
    return beside(others, [hit for hit in ranked if index.server_of(hit.id) in newcomers])


def _rank(index: SearchIndex, request: Request, allowed: Allowed, profile: str, lean: float) -> list[Hit]:
    found = gather(index, request, allowed)
    if not found.rows.size:
        return []
    fusion = load_fusion(LEXICAL if request.vector is None else profile)
    scores = fusion.scores(found.table)
    fit = fusion.fit(scores, found.table, len(index), len(index.aliases))
    if lean and request.vector is not None:
        # After the fit: whether any tool serves is not a question of taste.
        scores = scores + leaning(found.table, lean)
    probabilities, answerable = fit * fusion.shares(scores), fusion.answerable(fit, len(index.aliases))
    order = np.lexsort((found.rows, -scores))
    ranked = [
        Hit(
            index.ids[found.rows[at]],
            float(probabilities[at]),
            {**_parts(line), "fused": float(scores[at]), "fit": answerable},
        )
        for at, line in zip(order.tolist(), found.table[order][:, _SHOWN].tolist(), strict=True)
    ]
    if not _names_a_server(found):
        ranked = spread(ranked, index.server_of)
    return _named_first(index, found.mentions, ranked)


def _reranked(
    index: SearchIndex, requests: Sequence[Request], rankings: list[list[Hit]], reranker: Reranker, warning: str
) -> tuple[list[list[Hit]], str]:
    try:
        return [
            ranking
            if not ranking or "named" in ranking[0].parts
            else rerank(request.text, ranking, reranker, index.text)
            for request, ranking in zip(requests, rankings, strict=True)
        ], warning
    except ModelError as error:
        return rankings, f"{warning} {FIRST_STAGE_ALONE}: {error}".strip()


def _names_a_server(found: Candidates) -> bool:
    return bool((found.table[:, _SERVER_NAMED] > 0).any())


def _profile(index: SearchIndex) -> str:
    embedder = index.dense.embed.embedder if index.dense is not None else None
    return str(getattr(embedder, "model", GENERIC))


def _parts(shown: Sequence[float]) -> dict[str, float]:
    """Return what every stage said about one tool, given its `_SHOWN` features."""
    cosine, bm25, in_name, server_named, same_action, other_action = shown
    return {
        "dense": cosine,
        "lexical": bm25,
        "name": in_name,
        "server": server_named,
        "action": same_action - other_action,
    }


def _named_first(index: SearchIndex, mentions: Sequence[Mention], ranked: list[Hit]) -> list[Hit]:
    """Return the ranking with the tools that the query calls by name in front, and certain."""
    place = {index.ids[mention.row]: mention for mention in mentions}
    if not place:
        return ranked
    at = {hit.id: rank for rank, hit in enumerate(ranked)}
    named = sorted(
        (hit for hit in ranked if hit.id in place),
        key=lambda hit: (
            -place[hit.id].specificity,
            place[hit.id].position,
            not place[hit.id].is_verbatim,
            at[hit.id],
        ),
    )
    found = [hit for hit in ranked if hit.id not in place]
    least = found[0].score if found else 0.0
    for hit in reversed(named):
        least = max(least, hit.score, SCORE_OF_NAMED[place[hit.id].specificity])
        found.insert(0, Hit(hit.id, least, {**hit.parts, "named": 1.0, "fit": 1.0}))
    return found


def _cut(index: SearchIndex, ranking: Sequence[Hit], options: SearchOptions) -> list[Hit]:
    ranking = fair(ranking, index.standing, index.server_of, options.k)
    return cut(
        ranking,
        k=options.k,
        min_score=options.min_score,
        token_budget=options.token_budget,
        cost=index.cost_tokens,
        newcomers=sum(index.server_of(hit.id) in index.standing.newcomers for hit in ranking[:SPARED]),
    )


def _foldable(index: SearchIndex) -> Mapping[ToolId, str]:
    """Return the tools that may be one hit with others: a newcomer is not named in the place of what it copies."""
    newcomers = index.standing.newcomers
    if not newcomers:
        return index.twins
    return {tool_id: each for tool_id, each in index.twins.items() if index.server_of(tool_id) not in newcomers}


def _near_servers(index: SearchIndex, rankings: Sequence[Sequence[Hit]]) -> tuple[str, ...]:
    """Return the servers of the best tools, though none of them fits."""
    near = [index.server_of(hit.id) for hit in merge(rankings)[:RANKED]]
    return tuple(dict.fromkeys(near))[:NEAR_SERVERS]

"""One query against one index: the tools worth a look, and everything known about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from toolrouter.index.best import best_rows
from toolrouter.index.bm25f import QueryTerm
from toolrouter.index.related import Reworded
from toolrouter.index.words import STOP_WORDS, words
from toolrouter.ports import Vectors
from toolrouter.retrieval.actions import actions_in
from toolrouter.retrieval.features import (
    DenseEvidence,
    Evidence,
    Floats,
    LexicalEvidence,
    QueryFacts,
    Rows,
    StepEvidence,
    features,
)
from toolrouter.retrieval.names import Mention
from toolrouter.retrieval.number import numbers_in
from toolrouter.retrieval.products import products_in
from toolrouter.retrieval.search_index import DenseSide, SearchIndex

DEPTH: Final = 100
"""How many rows each side proposes for a query."""
REWORDED_DEPTH: Final = 30
"""How many more the query worded anew does."""
STEP_DEPTH: Final = 20
"""How many rows each side proposes for a step of it."""
FACTS_CHARACTERS: Final = 2_000

Allowed = NDArray[np.bool_] | None
"""Which rows may be found; None for all."""


@dataclass(frozen=True, slots=True)
class Request:
    """One query as it is searched for."""

    text: str
    gloss: str = ""
    """English words for a text in another language."""
    steps: Sequence[str] = ()
    vector: Vectors | None = None
    """Of the glossed text; None leaves out the dense side."""
    step_vectors: Vectors | None = None
    """Shape (steps, dimensions)."""

    @property
    def glossed(self) -> str:
        return f"{self.text} {self.gloss}".rstrip()


@dataclass(frozen=True, slots=True)
class Candidates:
    """The rows to rank, with one line of features each."""

    rows: Rows
    table: Floats
    mentions: tuple[Mention, ...]
    """Rows that the query calls by name, best first."""


def gather(index: SearchIndex, request: Request, allowed: Allowed = None) -> Candidates:
    """Return the candidates for one query, none of them outside `allowed`."""
    terms = index.lexical.terms(request.glossed)
    scores = _word_scores(index, terms, allowed)
    mentions = tuple(
        mention for mention in index.names.mentioned(request.text) if allowed is None or allowed[mention.row]
    )
    steps = [index.lexical.terms(step) for step in request.steps]
    best = _nearest(index, request.vector, DEPTH, allowed)
    reworded = _reworded(index, request.vector)
    proposed = [
        _worded(scores, DEPTH),
        np.array([mention.row for mention in mentions], np.int64),
        best[1],
        _nearest(index, reworded.vector if reworded else None, REWORDED_DEPTH, allowed)[1],
        *(_worded(_word_scores(index, step, allowed), STEP_DEPTH) for step in steps),
        *(_nearest(index, vector, STEP_DEPTH, allowed)[1] for vector in _step_vectors(request)),
    ]
    rows = np.unique(np.concatenate(proposed))
    evidence = Evidence(
        dense=_dense(index, request.vector, reworded, best[0], rows),
        lexical=_lexical(index, terms, scores, rows),
        steps=_steps(index, request, steps, rows),
        servers_named=index.mentions.scores(_weights(index, terms)),
        actions=actions_in(words(request.glossed[:FACTS_CHARACTERS])),
        numbers=numbers_in(request.text[:FACTS_CHARACTERS]),
        query=_facts(request, terms, index),
    )
    return Candidates(rows, features(rows, evidence, index.facts), mentions)


def _word_scores(index: SearchIndex, terms: Sequence[QueryTerm], allowed: Allowed) -> Floats:
    scores = index.lexical.scores(terms)
    return scores if allowed is None else scores * allowed


def _worded(scores: Floats, depth: int) -> Rows:
    found = best_rows(scores, depth)
    return found[scores[found] > 0]


def _nearest(index: SearchIndex, vector: Vectors | None, depth: int, allowed: Allowed) -> tuple[Floats, Rows]:
    if vector is None or index.dense is None:
        return np.zeros(0, np.float32), np.zeros(0, np.int64)
    if allowed is None:
        similarities, rows = index.dense.index.search(vector[None, :], depth)
        found = rows[0] >= 0
        return similarities[0][found], rows[0][found]
    # Allowed rows are few, so all of them are compared.
    rows = np.flatnonzero(allowed)
    similarities = index.dense.index.vectors(rows) @ vector
    best = best_rows(similarities, depth)
    return similarities[best], rows[best]


def _reworded(index: SearchIndex, vector: Vectors | None) -> Reworded | None:
    return None if vector is None or index.rewording is None else index.rewording.reword(vector)


def _dense(
    index: SearchIndex, vector: Vectors | None, reworded: Reworded | None, best: Floats, rows: Rows
) -> DenseEvidence | None:
    if vector is None or index.dense is None:
        return None
    of_rows = index.dense.index.vectors(rows)
    nothing = np.zeros(len(rows), np.float32)
    return DenseEvidence(
        best=best,
        candidates=_inner(of_rows, vector),
        related=nothing if index.related is None else index.related.similarities(vector, rows),
        reworded=nothing if reworded is None else _inner(of_rows, reworded.vector),
        reworded_length=0.0 if reworded is None else float(np.linalg.norm(reworded.vector)),
        lines_known=None if reworded is None or index.related is None else index.related.known(reworded.lines),
        elsewhere=_elsewhere(index.dense, vector),
    )


def _inner(rows: Vectors, vector: Vectors) -> Floats:
    """Return inner products, equal for equal rows: the last bits of a matrix product depend on where a row stands.

    Nor does it start threads as that does, which take longer than the sums do.
    """
    found: Floats = np.einsum("ij,j->i", rows, vector)
    return found


def _elsewhere(dense: DenseSide, vector: Vectors) -> float | None:
    if dense.capabilities is None or dense.familiar is None:
        return None
    return float((_inner(dense.capabilities, vector) - dense.familiar).max())


def _lexical(index: SearchIndex, terms: Sequence[QueryTerm], scores: Floats, rows: Rows) -> LexicalEvidence:
    return LexicalEvidence(scores[rows], index.lexical.coverage(terms, rows), index.lexical.attainable(terms))


def _steps(
    index: SearchIndex, request: Request, steps: Sequence[Sequence[QueryTerm]], rows: Rows
) -> StepEvidence | None:
    if not steps:
        return None
    lexical = np.stack([_share(index, step, rows) for step in steps])
    dense = np.zeros_like(lexical)
    if request.step_vectors is not None and index.dense is not None:
        dense = request.step_vectors @ index.dense.index.vectors(rows).T
    return StepEvidence(dense, lexical)


def _share(index: SearchIndex, terms: Sequence[QueryTerm], rows: Rows) -> Floats:
    attainable = index.lexical.attainable(terms)
    share: Floats = index.lexical.scores(terms)[rows] / max(attainable, 1e-6)
    return share


def _step_vectors(request: Request) -> Sequence[Vectors]:
    return () if request.step_vectors is None else list(request.step_vectors)


def _weights(index: SearchIndex, terms: Sequence[QueryTerm]) -> dict[str, float]:
    """Return the query's words as tools spell them, with how sure that is."""
    vocabulary = index.lexical.vocabulary
    return {vocabulary[term.term] if term.term >= 0 else term.word: term.weight for term in terms}


def _facts(request: Request, terms: Sequence[QueryTerm], index: SearchIndex) -> QueryFacts:
    text = request.text[:FACTS_CHARACTERS]
    letters = [letter for letter in text if letter.isalpha()]
    total = index.lexical.attainable(terms)
    unknown = sum(term.weight * index.lexical.idf(term) for term in terms if term.term < 0)
    return QueryFacts(
        words=sum(word not in STOP_WORDS for word in dict.fromkeys(words(text))),
        unknown_share=unknown / total if total else 1.0,
        foreign_share=1.0 if request.gloss else sum(not letter.isascii() for letter in letters) / max(len(letters), 1),
        steps=len(request.steps),
        names_product_elsewhere=not all(map(index.knows, products_in(text))),
    )

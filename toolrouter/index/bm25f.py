"""BM25 over several fields, in plain NumPy arrays.

Postings lie sorted by term: `rows`, one weight (all fields together, length-normalised and saturated) and one
bit per field in which the term occurs. A query costs one vector addition per word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from toolrouter.index.best import best_rows
from toolrouter.index.spelling import Spelling
from toolrouter.index.words import STOP_WORDS, stem, unstemmed, words

FIELDS: Final = ("name", "server", "description", "parameters", "related")
FIELD_WEIGHT: Final = np.array([2.5, 1.5, 1.0, 0.7, 0.6], np.float32)
LENGTH_PENALTY: Final = np.array([0.6, 0.3, 0.7, 0.7, 0.3], np.float32)
SATURATION: Final = 1.0
OWN: Final = (1 << FIELDS.index("related")) - 1
"""The bits of the fields that hold a tool's own words."""
RELATED_SHARE: Final = 0.3
"""Of a tool that a word is only related to, when it is counted how many tools have the word."""
SPELLING_WEIGHT: Final = 0.7
SHARES: Final = ((), (1.0,), (0.7, 0.3), (0.6, 0.25, 0.15))
"""How sure each of the meanings of a misspelt word is, by their number."""
MAX_QUERY_WORDS: Final = 256
MAX_RESPELT: Final = 8
MIN_COMPOUND_LETTERS: Final = 4
COMPOUND_WEIGHT: Final = 0.5
PART_WEIGHT: Final = 0.25
"""Of each half beside the compound: `GitLab` and `to-dos` are one word of a query, not three."""
MIN_PART_LETTERS: Final = 4
"""Of each half of a compound: shorter ones are found in words that are no compounds."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Postings:
    """The inverted index: the postings of term `t` are `starts[t]:starts[t + 1]`."""

    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    weights: Floats
    fields: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class QueryTerm:
    """One word of a query: the term it stands for (-1 when no tool has it) and how much of it counts."""

    word: str
    term: int
    weight: float


class Bm25f:
    """A LexicalIndex over the fields of `toolrouter.catalog.text.lexical_fields` and the words related to them."""

    def __init__(self, documents: Sequence[Mapping[str, str]]) -> None:
        self._count = len(documents)
        self._terms: dict[str, int] = {}
        terms, rows, fields, counts, lengths = self._tally(documents)
        self._postings, frequency = _invert(
            _Tally(terms, rows, fields, counts, lengths), documents=self._count, terms=len(self._terms)
        )
        self._idf = np.log1p((self._count - frequency + 0.5) / (frequency + 0.5)).astype(np.float32)
        self._rarest = float(np.log1p(self._count + 0.5)) if self._count else 0.0
        self.vocabulary = tuple(self._terms)
        self._spelling = Spelling(self.vocabulary, frequency.tolist())
        self.name_weight = self._weight_of_names()
        """Weight of all the words of each tool's name, shape (rows,)."""

    def respell(self, query: str) -> str:
        """Return what the misspelt words of a query may have meant, as tools write it; nothing when all are known."""
        found = [
            near[0]
            for word in dict.fromkeys(words(query))
            if word not in STOP_WORDS
            for near in [self._near(word)]
            if near
        ]
        return " ".join(self._spelt[term] for term in found[:MAX_RESPELT])

    def _near(self, word: str) -> list[int]:
        return [] if word in self._terms else self._spelling.near(word)

    def _tally(self, documents: Sequence[Mapping[str, str]]) -> tuple[NDArray[np.int32], ...]:
        known = self._terms
        spelt: list[str] = []
        terms: list[int] = []
        counts: list[int] = []
        sizes: list[int] = []
        lengths = np.zeros((len(FIELDS), len(documents)), np.int32)
        for row, document in enumerate(documents):
            for field, name in enumerate(FIELDS):
                found = unstemmed(document.get(name, ""))
                stems = list(map(stem, found))
                tally = Counter(stems)
                lengths[field, row] = len(found)
                new = [word for word in tally if word not in known]
                if new:
                    known.update(zip(new, range(len(known), len(known) + len(new)), strict=True))
                    spelt.extend(map(dict(zip(stems, found, strict=True)).__getitem__, new))
                terms.extend(map(known.__getitem__, tally))
                counts.extend(tally.values())
                sizes.append(len(tally))
        self._spelt = spelt
        """The vocabulary as it is first written."""
        repeats = np.asarray(sizes, np.int64)
        rows = np.repeat(np.repeat(np.arange(len(documents), dtype=np.int32), len(FIELDS)), repeats)
        fields = np.repeat(np.tile(np.arange(len(FIELDS), dtype=np.int32), len(documents)), repeats)
        return np.asarray(terms, np.int32), rows, fields, np.asarray(counts, np.int32), lengths

    def _weight_of_names(self) -> Floats:
        in_name = (self._postings.fields & 1).astype(bool)
        idf = np.repeat(self._idf, np.diff(self._postings.starts))
        weight: Floats = np.bincount(self._postings.rows[in_name], weights=idf[in_name], minlength=self._count).astype(
            np.float32
        )
        return weight

    def terms(self, query: str) -> list[QueryTerm]:
        """Return the query's distinct words, misspelt ones with what they may have meant, compounds either way."""
        weights = self._weights(unstemmed(query)[: 2 * MAX_QUERY_WORDS])
        telling = [word for word in weights if word not in STOP_WORDS] or list(weights)
        return [term for word in telling[:MAX_QUERY_WORDS] for term in self._meanings(word, weights[word])]

    def _weights(self, written: Sequence[str]) -> Mapping[str, float]:
        """Return how much each distinct stem counts; what tools write as one and the query as two is one word."""
        weights = dict.fromkeys(map(stem, written), 1.0)
        for one, other in pairwise(written):
            joined = stem(one + other)
            if len(joined) >= MIN_COMPOUND_LETTERS and joined in self._terms:
                weights |= {stem(one): PART_WEIGHT, stem(other): PART_WEIGHT, joined: COMPOUND_WEIGHT}
        return weights

    def _meanings(self, word: str, weight: float) -> list[QueryTerm]:
        known = self._terms.get(word)
        if known is not None:
            return [QueryTerm(word, known, weight)]
        if parts := self._parts(word):
            return [QueryTerm(part, self._terms[part], weight / len(parts)) for part in parts]
        near = self._spelling.near(word)
        return [
            QueryTerm(word, term, weight * SPELLING_WEIGHT * share)
            for term, share in zip(near, SHARES[len(near)], strict=True)
        ] or [QueryTerm(word, -1, weight)]

    def _parts(self, word: str) -> list[str]:
        """Return the two words that tools write apart and the query as one: `mergerequest`; the likeliest cut."""
        if not (word.isascii() and word.isalpha()):
            return []
        cuts = range(MIN_PART_LETTERS, len(word) - MIN_PART_LETTERS + 1)
        split = [(stem(word[:cut]), stem(word[cut:])) for cut in cuts]
        known = [pair for pair in split if all(part in self._terms and part not in STOP_WORDS for part in pair)]
        return list(max(known, key=lambda pair: min(map(len, pair)))) if known else []

    def scores(self, terms: Sequence[QueryTerm]) -> Floats:
        """Return the BM25F score of every row for the words of one query."""
        known = [term for term in terms if term.term >= 0]
        if not known:
            return np.zeros(self._count, np.float32)
        spans = [self._span(term.term) for term in known]
        rows = np.concatenate([self._postings.rows[span] for span in spans])
        weights = np.concatenate(
            [
                term.weight * self.idf(term) * self._postings.weights[span]
                for term, span in zip(known, spans, strict=True)
            ]
        )
        return np.bincount(rows, weights, minlength=self._count).astype(np.float32)

    def coverage(self, terms: Sequence[QueryTerm], rows: NDArray[np.int64]) -> Floats:
        """Return the weight of the words found in each field and, last, in any, shape (fields + 1, rows)."""
        found = np.zeros((len(FIELDS) + 1, len(rows)), np.float32)
        for term in terms:
            if term.term < 0:
                continue
            span = self._span(term.term)
            having, fields = self._postings.rows[span], self._postings.fields[span]
            at = np.minimum(np.searchsorted(having, rows), len(having) - 1)
            bits = np.where(having[at] == rows, fields[at], 0)
            mass = term.weight * self.idf(term)
            for field in range(len(FIELDS)):
                found[field] += mass * ((bits >> field) & 1)
            found[-1] += mass * (bits != 0)
        return found

    def attainable(self, terms: Sequence[QueryTerm]) -> float:
        """Return the weight of all the words: the score of a tool that has every one of them in full."""
        return sum(term.weight * self.idf(term) for term in terms)

    def rows_of(self, word: str, fields: Collection[str]) -> NDArray[np.int32]:
        """Return the rows that have a stem in any of some fields."""
        known = self._terms.get(word)
        if known is None:
            return np.zeros(0, np.int32)
        span = self._span(known)
        wanted = sum(1 << FIELDS.index(field) for field in fields)
        found: NDArray[np.int32] = self._postings.rows[span][(self._postings.fields[span] & wanted) != 0]
        return found

    def _span(self, term: int) -> slice:
        return slice(int(self._postings.starts[term]), int(self._postings.starts[term + 1]))

    def idf(self, term: QueryTerm) -> float:
        """Return how telling a term is; an unknown word tells as much as the rarest known one."""
        return float(self._idf[term.term]) if term.term >= 0 else self._rarest

    def search(self, query: str, k: int) -> list[tuple[int, float]]:
        score = self.scores(self.terms(query))
        rows = best_rows(score, k)
        return [(int(row), float(score[row])) for row in rows if score[row] > 0]


@dataclass(frozen=True, slots=True)
class _Tally:
    terms: NDArray[np.int32]
    rows: NDArray[np.int32]
    fields: NDArray[np.int32]
    counts: NDArray[np.int32]
    lengths: NDArray[np.int32]


def _invert(tally: _Tally, *, documents: int, terms: int) -> tuple[Postings, NDArray[np.int64]]:
    """Return the postings and in how many documents each term occurs."""
    average = tally.lengths.mean(axis=1, keepdims=True).clip(min=1.0) if documents else np.ones((len(FIELDS), 1))
    damping = 1 - LENGTH_PENALTY[:, None] + LENGTH_PENALTY[:, None] * tally.lengths / average
    weight = FIELD_WEIGHT[tally.fields] * tally.counts / damping[tally.fields, tally.rows]
    pair = tally.terms.astype(np.int64) * max(documents, 1) + tally.rows
    order = np.argsort(pair, kind="stable")
    pair = pair[order]
    first = np.flatnonzero(np.r_[True, pair[1:] != pair[:-1]]) if pair.size else np.zeros(0, np.int64)
    if not first.size:
        empty = Postings(
            starts=np.zeros(terms + 1, np.int64),
            rows=np.zeros(0, np.int32),
            weights=np.zeros(0, np.float32),
            fields=np.zeros(0, np.uint8),
        )
        return empty, np.zeros(terms, np.int64)
    sums = np.add.reduceat(weight[order], first)
    bits = np.bitwise_or.reduceat((1 << tally.fields[order]).astype(np.uint8), first)
    owner, rows = np.divmod(pair[first], documents)
    every = np.bincount(owner, minlength=terms)
    starts = np.r_[0, np.cumsum(every)]
    own = np.bincount(owner[(bits & OWN) != 0], minlength=terms)
    frequency = np.where(own > 0, own + RELATED_SHARE * (every - own), every)
    saturated = (sums / (sums + SATURATION)).astype(np.float32)
    return Postings(starts, rows.astype(np.int32), saturated, bits), frequency

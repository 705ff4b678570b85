"""How near a query is to what people say of tools: the thesaurus as vectors, shipped for the built-in model.

Each line has two: of what people say, and of the terms that tools have for it. A query near to the former is worded
anew by the latter, which reaches tools that no term of a line was found in.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolrouter.index.embedding_cache import text_key
from toolrouter.index.faiss_index import search_alone
from toolrouter.index.shipped_vectors import THESAURUS, shipped_file
from toolrouter.index.thesaurus import thesaurus
from toolrouter.ports import Embedder, Vectors

Floats = NDArray[np.float32]

NEAREST: Final = 16
"""How many lines word a query anew."""
TEMPERATURE: Final = 0.05
"""The difference of similarity at which a line counts for 1/e of another."""
SCALE: Final = 400.0
"""Of unit vectors kept as bytes: one for all, so that they can be compared as they are."""
ADDED_AT_ONCE: Final = 4_096


class LineVectors(NamedTuple):
    """Unit vectors times SCALE, a row for each line."""

    said: NDArray[np.int8]
    called: NDArray[np.int8]


class Reworded(NamedTuple):
    """A query in the words of tools."""

    vector: Vectors
    """Shorter than a unit vector where lines disagree."""
    lines: NDArray[np.int64]
    """Those it was worded by, nearest first."""


class RelatedLines:
    """The lines about each tool of a catalog, by row, with their vectors."""

    def __init__(self, lines: Sequence[Sequence[int]], said: NDArray[np.int8]) -> None:
        """`said` is that of `LineVectors`, which is kept as it is."""
        sizes = np.array([len(found) for found in lines], np.int64)
        self._starts = np.r_[0, np.cumsum(sizes)]
        self._lines = np.array([line for found in lines for line in found], np.int64)
        self._said = said
        self._is_known = np.zeros(len(said), bool)
        self._is_known[self._lines] = True

    def known(self, lines: NDArray[np.int64]) -> float:
        """Return the share of some lines that are about any tool of the catalog."""
        return float(self._is_known[lines].mean())

    def similarities(self, query: Vectors, rows: NDArray[np.int64]) -> Floats:
        """Return the similarity of a query to the nearest line about each tool, at least 0, and 0 where there is none.

        `query` is a unit vector, made as the vectors of the lines were: with `embed_queries`.
        """
        found = np.zeros(len(rows), np.float32)
        sizes = self._starts[rows + 1] - self._starts[rows]
        some = np.flatnonzero(sizes)
        if not some.size:
            return found
        firsts = np.cumsum(sizes[some]) - sizes[some]
        within = np.arange(sizes[some].sum()) - np.repeat(firsts, sizes[some])
        lines = self._lines[np.repeat(self._starts[rows[some]], sizes[some]) + within]
        found[some] = np.maximum.reduceat(self._near(query, lines), firsts).clip(0)
        return found

    def _near(self, query: Vectors, lines: NDArray[np.int64]) -> Floats:
        """Return the similarity of each line; tools of one kind share most of theirs, which are compared once."""
        wanted = np.zeros(len(self._said), bool)
        wanted[lines] = True
        distinct = np.flatnonzero(wanted)
        near = np.zeros(len(wanted), np.float32)
        # Not a matrix product: that one starts threads, which take longer than the sums do.
        near[distinct] = np.einsum("ij,j->i", self._said[distinct].astype(np.float32), query) / SCALE
        found: Floats = near[lines]
        return found


class Rewording:
    """Words queries as tools would; safe to share between threads."""

    def __init__(self, vectors: LineVectors) -> None:
        import faiss

        lines, dimensions = vectors.said.shape
        # Whole bytes are compared in a third of the time that floats take, in a quarter of the memory.
        self._said: Any = faiss.IndexScalarQuantizer(
            dimensions, faiss.ScalarQuantizer.QT_8bit_direct_signed, faiss.METRIC_INNER_PRODUCT
        )
        for start in range(0, lines, ADDED_AT_ONCE):
            self._said.add(vectors.said[start : start + ADDED_AT_ONCE].astype(np.float32))
        self._called = vectors.called

    def reword(self, query: Vectors) -> Reworded:
        """Return what tools would call what a query says; `query` is a unit vector, made with `embed_queries`."""
        # The index takes a query for bytes as well.
        asked = _in_bytes(query[None, :]).astype(np.float32)
        similarities, lines = search_alone(self._said, asked, min(NEAREST, self._said.ntotal))
        weights = np.exp((similarities[0] - similarities[0][0]) / (TEMPERATURE * SCALE**2))
        vector: Vectors = (weights / weights.sum()) @ self._called[lines[0]].astype(np.float32) / SCALE
        return Reworded(vector, lines[0])


@cache
def line_vectors(model: str) -> LineVectors | None:
    """Return the vectors of each line of the thesaurus; None when they are another model's, or of other lines."""
    try:
        with np.load(shipped_file(THESAURUS)) as stored:
            if (str(stored["model"]), str(stored["lines"])) != (model, _key()):
                return None
            return LineVectors(stored["said"], stored["called"])
    except (OSError, ValueError, KeyError, EOFError):
        return None


@cache
def rewording(model: str) -> Rewording | None:
    """Return the rewording for a model, one for all catalogs; None where it has no lines."""
    vectors = line_vectors(model)
    return Rewording(vectors) if vectors is not None and len(vectors.said) else None


def ship(embedder: Embedder, path: Path) -> None:
    """Write the vectors of each line of the thesaurus."""
    lines = thesaurus()
    said, called = (embedder.embed_queries(texts) for texts in (lines.lines, lines.terms_of))
    np.savez(
        path, model=np.array(embedder.name), lines=np.array(_key()), said=_in_bytes(said), called=_in_bytes(called)
    )


def _in_bytes(vectors: Vectors) -> NDArray[np.int8]:
    rounded: NDArray[np.int8] = np.round(SCALE * vectors).clip(-127, 127).astype(np.int8)
    return rounded


def _key() -> str:
    lines = thesaurus()
    return text_key("\n".join((*lines.lines, *lines.terms_of)))

"""How near a query is to what people say of tools: the thesaurus as vectors, shipped for the built-in model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolrouter.index.embedding_cache import text_key
from toolrouter.index.shipped_vectors import THESAURUS, in_bytes, shipped_file, unit
from toolrouter.index.thesaurus import thesaurus
from toolrouter.ports import Vectors

Floats = NDArray[np.float32]


class RelatedLines:
    """The lines about each tool of a catalog, by row, with their vectors."""

    def __init__(self, lines: Sequence[Sequence[int]], vectors: NDArray[np.int8]) -> None:
        """`vectors` has a row for each line of the thesaurus, of which only the direction counts."""
        sizes = np.array([len(found) for found in lines], np.int64)
        self._starts = np.r_[0, np.cumsum(sizes)]
        every = np.array([line for found in lines for line in found], np.int64)
        used, self._lines = np.unique(every, return_inverse=True)
        self._vectors = unit(vectors[used])

    def similarities(self, query: Vectors, rows: NDArray[np.int64]) -> Floats:
        """Return the similarity of a query to the nearest line about each tool, at least 0, and 0 where there is none.

        `query` is a unit vector, made as the vectors of the lines were: with `embed_queries`.
        """
        found = np.zeros(len(rows), np.float32)
        if not len(self._vectors):
            return found
        # Not a matrix product: that one starts threads, which take longer than the sums do.
        near = np.einsum("ij,j->i", self._vectors, query)
        for at, row in enumerate(rows):
            lines = self._lines[self._starts[row] : self._starts[row + 1]]
            found[at] = near[lines].max(initial=0.0)
        return found


@cache
def line_vectors(model: str) -> NDArray[np.int8] | None:
    """Return a vector for each line of the thesaurus; None when they are another model's, or of other lines."""
    try:
        with np.load(shipped_file(THESAURUS)) as stored:
            if (str(stored["model"]), str(stored["lines"])) != (model, _key()):
                return None
            vectors: NDArray[np.int8] = stored["vectors"]
            return vectors
    except (OSError, ValueError, KeyError, EOFError):
        return None


def ship(model: str, vectors: Vectors, path: Path) -> None:
    """Write a unit vector for each line of the thesaurus."""
    np.savez(path, model=np.array(model), lines=np.array(_key()), vectors=in_bytes(vectors))


def _key() -> str:
    return text_key("\n".join(thesaurus().lines))

"""The vector index on FAISS: exact up to `EXACT_ROWS` rows, inverted lists beyond.

Lists, not a graph: for 100,000 vectors they are built in seconds of processor time where a graph takes minutes,
and find as much of what the exact search finds within the time a query has.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from toolrouter.ports import Vectors

EXACT_ROWS: Final = 50_000
LISTS_PER_ROOT: Final = 1.6
"""Lists per square root of the rows."""
LEAST_PROBED: Final = 48
MOST_PROBED: Final = 128
SHARE_PROBED: Final = 6
"""One list in so many is searched, within the two bounds."""
TRAINED_PER_LIST: Final = 40
ROUNDS: Final = 8
FEW_QUERIES: Final = 16
"""So many are searched for in the caller's thread alone."""

Rows = NDArray[np.int64]


class FaissIndex:
    """A VectorIndex. Similarities are inner products: higher is better, as FAISS's are for this metric."""

    def __init__(self, vectors: Vectors, *, exact_rows: int = EXACT_ROWS) -> None:
        """Copies the vectors."""
        import faiss

        self._library: Any = faiss
        self._count, self._dimensions = len(vectors), int(vectors.shape[1])
        self._exact = self._count <= exact_rows
        library = self._library
        given = np.ascontiguousarray(vectors, np.float32)
        self._index: Any = (
            library.IndexFlatIP(self._dimensions) if self._exact else _lists(library, self._dimensions, given)
        )
        self._index.add(given)
        self._view: Vectors | None = _view(library, self._index, self._count, self._dimensions) if self._exact else None
        if not self._exact:
            self._index.make_direct_map()

    def __len__(self) -> int:
        return self._count

    def search(self, queries: Vectors, k: int) -> tuple[Vectors, Rows]:
        """Return similarities and rows, best first; equal ones by row.

        Beyond `exact_rows`, a row of -1 stands for one that was not found.
        """
        wanted = max(min(k, self._count), 0)
        if not wanted or not len(queries):
            return np.zeros((len(queries), wanted), np.float32), np.zeros((len(queries), wanted), np.int64)
        given = np.ascontiguousarray(queries, np.float32)
        similarities, rows = (
            search_alone(self._index, given, wanted) if len(given) <= FEW_QUERIES else self._index.search(given, wanted)
        )
        order = np.lexsort((rows, -similarities), axis=1)
        return np.take_along_axis(similarities, order, axis=1), np.take_along_axis(rows, order, axis=1)

    def vectors(self, rows: Rows | None = None) -> Vectors:
        """Return the vectors of some rows, or of all: these may be a view, for as long as the index lives."""
        if self._view is not None:
            return self._view if rows is None else self._view[rows]
        found: Vectors = (
            self._index.reconstruct_n(0, self._count) if rows is None else self._index.reconstruct_batch(rows)
        )
        return found


def search_alone(index: Any, queries: Vectors, k: int) -> tuple[Vectors, Rows]:
    """Search in this thread: several gain nothing for a few vectors, and wait for each other on a busy machine."""
    import faiss

    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        found: tuple[Vectors, Rows] = index.search(queries, k)
    finally:
        faiss.omp_set_num_threads(threads)
    return found


def _lists(library: Any, dimensions: int, vectors: Vectors) -> Any:
    """Return an empty index of inverted lists that is trained for the vectors."""
    lists = max(1, round(LISTS_PER_ROOT * math.sqrt(len(vectors))))
    index = library.IndexIVFFlat(library.IndexFlatIP(dimensions), dimensions, lists, library.METRIC_INNER_PRODUCT)
    index.nprobe = min(max(lists // SHARE_PROBED, LEAST_PROBED), MOST_PROBED)
    index.cp.niter = ROUNDS
    index.cp.min_points_per_centroid = 1
    step = max(1, len(vectors) // (TRAINED_PER_LIST * lists))
    index.train(vectors[::step])
    return index


def _view(library: Any, index: Any, count: int, dimensions: int) -> Vectors:
    """Return the index's own vectors, without a copy."""
    if not count:
        return np.zeros((0, dimensions), np.float32)
    view: Vectors = library.rev_swig_ptr(index.get_xb(), count * dimensions).reshape(count, dimensions)
    return view

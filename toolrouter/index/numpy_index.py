"""The reference vector index: every similarity, computed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toolrouter.index.best import best_rows
from toolrouter.ports import Vectors


class NumpyIndex:
    """A VectorIndex in plain NumPy. Exact, and what the other adapters are tested against."""

    def __init__(self, vectors: Vectors) -> None:
        self.vectors = vectors

    def search(self, queries: Vectors, k: int) -> tuple[Vectors, NDArray[np.int64]]:
        similarities = queries @ self.vectors.T
        rows = np.stack([best_rows(line, k) for line in similarities]) if len(queries) else _no_rows(k)
        return np.take_along_axis(similarities, rows, axis=1), rows


def _no_rows(k: int) -> NDArray[np.int64]:
    return np.zeros((0, k), np.int64)

"""The best rows of a line of scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def best_rows(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the rows of the k highest scores, best first, ties by row; all rows when there are fewer."""
    count = min(k, scores.shape[0])
    if count <= 0:
        return np.zeros(0, np.int64)
    if count < scores.shape[0]:
        threshold = np.partition(scores, -count)[-count]
        near = np.flatnonzero(scores >= threshold)
    else:
        near = np.arange(scores.shape[0])
    order: NDArray[np.int64] = near[np.lexsort((near, -scores[near]))][:count]
    return order

"""Bootstrap intervals: how far a mean over these queries would move with other queries of the same kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

DRAWS = 2_000
SEED = 20_260_731
_CELLS_AT_ONCE = 4_000_000  # bounds the memory of one batch of draws to some 64 MB


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean, and the 2.5th and 97.5th percentile of its bootstrap distribution."""

    value: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


def intervals(values: Values, *, draws: int = DRAWS, seed: int = SEED) -> list[Interval]:
    """One interval per column of `values`, shape (queries, columns); the columns share their draws.

    Equal seeds draw equal queries, so that two reports on the same queries are comparable digit by digit.
    """
    means = _draw_means(values, draws, np.random.default_rng(seed))
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    return [
        Interval(float(mean), float(below), float(above))
        for mean, below, above in zip(values.mean(axis=0), low, high, strict=True)
    ]


def interval(values: Sequence[float] | Values, *, draws: int = DRAWS, seed: int = SEED) -> Interval:
    return intervals(np.asarray(values, dtype=np.float64)[:, None], draws=draws, seed=seed)[0]


def paired(
    after: Sequence[float] | Values, before: Sequence[float] | Values, *, draws: int = DRAWS, seed: int = SEED
) -> Interval:
    """The mean gain of `after` over `before`, query by query."""
    return interval(np.asarray(after) - np.asarray(before), draws=draws, seed=seed)


def macro(sets: Sequence[Sequence[float]], *, draws: int = DRAWS, seed: int = SEED) -> Interval:
    """The mean over sets of the mean over queries; queries are drawn within their set."""
    random = np.random.default_rng(seed)
    columns = [np.asarray(values, dtype=np.float64)[:, None] for values in sets]
    means = np.mean([_draw_means(column, draws, random)[:, 0] for column in columns], axis=0)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(np.mean([column.mean() for column in columns])), float(low), float(high))


def _draw_means(values: Values, draws: int, random: np.random.Generator) -> Values:
    """Means of resampled queries, shape (draws, columns)."""
    queries = len(values)
    share = np.full(queries, 1 / queries)
    step = max(1, _CELLS_AT_ONCE // queries)
    batches = [
        random.multinomial(queries, share, size=min(step, draws - start)) @ values for start in range(0, draws, step)
    ]
    return np.concatenate(batches) / queries

"""Fits what is returned (which retriever, its lean, k, min_score, token budget) to queries whose tools are known.

One currency: tokens. An answer costs the tokens of its lines; a needed tool that is missing costs `miss_costs` tokens
(the model searches again, or fails), an answer where no tool serves costs `false_costs`. The best settings are those
with the lowest mean cost. What they gain is judged on queries that they were not chosen on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolrouter.evaluation.bootstrap import SEED, Interval, paired
from toolrouter.evaluation.measures import judged
from toolrouter.evaluation.sets import Query
from toolrouter.retrieval.cut import cut
from toolrouter.types import Hit, ToolId

Floats = NDArray[np.float64]

DEPTH = 50
_NO_BUDGET = 10**9
FOLDS = 5
KS = (3, 4, 5, 6, 8, 10, 12, 15, 20, 30)
MIN_SCORES = (0.0, 0.01, 0.02, 0.03, 0.05, 0.08, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
LEANS = (-0.6, -0.3, 0.0, 0.3, 0.6)
BUDGETS = (200, 300, 400, 500, 750, 1_000, 1_500, 2_000, 3_000)


class Way(NamedTuple):
    """How queries are ranked."""

    retriever: str = "hybrid"
    lean: float = 0.0


WAYS = (*(Way("hybrid", lean) for lean in LEANS), Way("dense"), Way("lexical"))


@dataclass(frozen=True, slots=True)
class Cut:
    """Which ranking, and how much of it is returned."""

    k: int
    min_score: float
    token_budget: int
    retriever: str = "hybrid"
    lean: float = 0.0

    @property
    def way(self) -> Way:
        return Way(self.retriever, self.lean)


@dataclass(frozen=True, slots=True)
class Costs:
    """What mistakes are worth, in tokens."""

    miss: float = 3_000
    false_answer: float = 1_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one cut returns for each query; arrays have one value per query."""

    recall: Floats
    """Share of needed tools returned; NaN for queries that no tool serves."""
    tokens: Floats
    answered: Floats
    cost: Floats

    @property
    def mean_recall(self) -> float:
        return self.recall_of_answerable or 0.0

    @property
    def recall_of_answerable(self) -> float | None:
        """None where no query has a tool that serves it."""
        return _mean(self.recall[~np.isnan(self.recall)])

    @property
    def mean_tokens(self) -> float:
        return float(self.tokens.mean())

    @property
    def answer_rate(self) -> float | None:
        """Of queries that a tool serves; None where there is none."""
        return _mean(self.answered[~np.isnan(self.recall)])

    @property
    def false_answer_rate(self) -> float | None:
        """Of queries that no tool serves; None where there is none."""
        return _mean(self.answered[np.isnan(self.recall)])


@dataclass(frozen=True, slots=True)
class Tuning:
    """What to set, and how sure that is."""

    before: Cut
    after: Cut
    outcome_before: Outcome
    outcome_after: Outcome
    cost_gain: Interval
    """Tokens per query that the tuned settings save, on queries they were not chosen on; above 0 is better."""
    recall_gain: Interval
    tokens_gain: Interval
    """Tokens per answer that are saved."""
    frontier: tuple[tuple[float, float], ...]
    """(tokens, recall) of the cuts that no other beats in both, by tokens."""

    @property
    def is_distinguishable(self) -> bool:
        """Whether the gain is more than chance, and for the better."""
        return self.after != self.before and self.cost_gain.low > 0


Rankings = Mapping[Way, Sequence[Sequence[Hit]]]
"""One uncut ranking per query, for each way."""


def tune(
    queries: Sequence[Query],
    rankings: Rankings,
    before: Cut,
    *,
    cost: Callable[[ToolId], int],
    costs: Costs = Costs(),
) -> Tuning:
    """Searches the grid, and judges by cross-validation what was found. Equal inputs give equal results.

    Every ranking is cut as one: a search also adds what single steps of a task ask for, and cuts each of several
    queries by itself, which shows a little more of those than is counted here.
    """
    candidates = list(_candidates(before, rankings))
    prefixes = {way: _Prefixes(queries, ranked, cost) for way, ranked in rankings.items()}
    answerable = np.array([bool(query.relevant) for query in queries])
    outcomes = [_outcome(prefixes[each.way], each, answerable, costs) for each in candidates]
    table = np.stack([outcome.cost for outcome in outcomes])
    at = candidates.index(before)
    best = _best(table, at)
    held_out = _cross_validated(table, at)
    chosen = np.arange(len(queries))
    return Tuning(
        before,
        candidates[best],
        outcomes[at],
        outcomes[best],
        paired(table[at], table[held_out, chosen]),
        _recall_gain(outcomes, at, held_out),
        paired(outcomes[at].tokens, np.stack([outcome.tokens for outcome in outcomes])[held_out, chosen]),
        _frontier(outcomes),
    )


def _candidates(before: Cut, rankings: Rankings) -> Iterator[Cut]:
    yield before
    for k, score, budget, way in product(KS, MIN_SCORES, BUDGETS, rankings):
        found = Cut(k, score, budget, *way)
        if found != before:
            yield found


class _Prefixes:
    """What every prefix of every ranking holds; a cut is a prefix, the shortest of those that its limits allow."""

    def __init__(
        self, queries: Sequence[Query], rankings: Sequence[Sequence[Hit]], cost: Callable[[ToolId], int]
    ) -> None:
        self._rankings, self._cost = rankings, cost
        self.found = np.zeros((len(queries), DEPTH + 1))
        self.tokens = np.zeros((len(queries), DEPTH + 1))
        for row, (query, ranking) in enumerate(zip(queries, rankings, strict=True)):
            spent = np.cumsum([cost(hit.id) for hit in ranking[:DEPTH]])
            self.tokens[row, 1 : len(spent) + 1] = spent
            for length in range(1, len(spent) + 1) if query.relevant else ():
                # A hit names the tools that it stands for.
                named = [name for hit in ranking[:length] for name in (hit.id, *hit.also)]
                ranks = judged(query, named, {}).gold_ranks
                self.found[row, length] = len(ranks) / len(query.relevant)
        self._by_score: dict[float, NDArray[np.intp]] = {}
        self._by_budget: dict[int, NDArray[np.intp]] = {}

    def lengths(self, how: Cut) -> NDArray[np.intp]:
        if how.min_score not in self._by_score:
            self._by_score[how.min_score] = self._lengths(how.min_score, _NO_BUDGET)
        if how.token_budget not in self._by_budget:
            self._by_budget[how.token_budget] = self._lengths(0.0, how.token_budget)
        return np.minimum(np.minimum(self._by_score[how.min_score], self._by_budget[how.token_budget]), how.k)

    def _lengths(self, min_score: float, budget: int) -> NDArray[np.intp]:
        shown = [
            len(cut(ranking, k=DEPTH, min_score=min_score, token_budget=budget, cost=self._cost))
            for ranking in self._rankings
        ]
        return np.array(shown, np.intp)


def _outcome(prefixes: _Prefixes, how: Cut, answerable: NDArray[np.bool_], costs: Costs) -> Outcome:
    lengths = prefixes.lengths(how)
    rows = np.arange(len(lengths))
    answered = (lengths > 0).astype(np.float64)
    tokens = prefixes.tokens[rows, lengths]
    recall = np.where(answerable, prefixes.found[rows, lengths], np.nan)
    mistakes = np.where(answerable, (1 - np.nan_to_num(recall)) * costs.miss, answered * costs.false_answer)
    return Outcome(recall, tokens, answered, tokens + mistakes)


def _best(table: Floats, before: int) -> int:
    """The row with the lowest mean cost; the present settings where nothing is cheaper."""
    means = table.mean(axis=1)
    best = int(means.argmin())
    return best if means[best] < means[before] else before


def _cross_validated(table: Floats, before: int) -> NDArray[np.intp]:
    """For each query, the row that is best on the folds it is not in."""
    queries = table.shape[1]
    fold = np.random.default_rng(SEED).permutation(queries) % min(FOLDS, queries)
    chosen = np.empty(queries, np.intp)
    for number in range(fold.max() + 1):
        others = fold != number
        chosen[~others] = _best(table[:, others], before) if others.any() else before
    return chosen


def _recall_gain(outcomes: Sequence[Outcome], before: int, held_out: NDArray[np.intp]) -> Interval:
    after = np.stack([outcome.recall for outcome in outcomes])[held_out, np.arange(len(held_out))]
    known = ~np.isnan(after)
    return paired(after[known], outcomes[before].recall[known]) if known.any() else Interval(0, 0, 0)


def _frontier(outcomes: Sequence[Outcome]) -> tuple[tuple[float, float], ...]:
    points = sorted({(outcome.mean_tokens, outcome.mean_recall) for outcome in outcomes})
    frontier: list[tuple[float, float]] = []
    for tokens, recall in points:
        if not frontier or recall > frontier[-1][1]:
            frontier.append((tokens, recall))
    return tuple(frontier)


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) else None

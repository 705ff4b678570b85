"""What is known about each candidate for one query, as numbers between about -1 and 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from toolrouter.index.bm25f import FIELDS
from toolrouter.retrieval.number import Numbers, agreement

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

FEATURES: Final = (
    "cosine",
    "cosine_below_best",
    "cosine_over_field",
    "bm25",
    "bm25_of_best",
    "in_name",
    "in_server",
    "in_description",
    "in_parameters",
    "in_related",
    "in_any",
    "name_found",
    "name_complete",
    "server_named",
    "other_server_named",
    "same_action",
    "other_action",
    "same_number",
    "other_number",
    "dense_rank",
    "lexical_rank",
    "related_cosine",
    "related_below_best",
    "related_rank",
    "reworded_cosine",
    "reworded_below_best",
    "reworded_rank",
    "step_cosine",
    "step_bm25",
    "step_rank",
    "best_cosine",
    "best_spread",
    "elsewhere",
    "reworded_elsewhere",
    "lines_elsewhere",
    "product_elsewhere",
    "best_bm25",
    "best_in_any",
    "words",
    "unknown_words",
    "foreign",
    "steps",
)
"""The columns; those from `best_cosine` on say something about the query and the catalog alone."""
LEXICAL_SHARE: Final = 0.25
"""Of words beside vectors when a step's best tools are found."""
LINES_KNOWN: Final = 0.5
"""From this share of the lines on that are about any tool, a query is at home."""
BACKGROUND: Final = slice(10, 60)
"""The ranks whose mean similarity says what an unrelated tool of this catalog has."""


@dataclass(frozen=True, slots=True)
class DenseEvidence:
    """Similarities of the best rows, best first, and of each candidate."""

    best: Floats
    candidates: Floats
    related: Floats
    """Of each candidate's nearest line of the thesaurus."""
    reworded: Floats
    """Of each candidate to what tools would call what the query says."""
    reworded_length: float
    """Of the vector of what they would call it: the similarity of a tool that is called just so."""
    lines_known: float | None = None
    """Of the lines that the query was worded anew by, the share that is about any tool; None when that is not known."""
    elsewhere: float | None = None
    """The query's highest similarity to what is done by programs in general; None when that is not known."""


@dataclass(frozen=True, slots=True)
class LexicalEvidence:
    """What the query's words say of each candidate, in the units of `attainable`."""

    scores: Floats
    coverage: Floats
    """Shape (fields + 1, candidates); the last line counts words found in any field."""
    attainable: float


@dataclass(frozen=True, slots=True)
class StepEvidence:
    """What the steps of a task say of each candidate, both of shape (steps, candidates)."""

    cosines: Floats
    word_shares: Floats


@dataclass(frozen=True, slots=True)
class QueryFacts:
    """What is known of the query itself."""

    words: int
    unknown_share: float
    foreign_share: float
    steps: int
    names_product_elsewhere: bool = False
    """Whether it names a product or service that no tool knows."""


@dataclass(frozen=True, slots=True)
class ToolFacts:
    """What is known of the tools whatever the query, by row."""

    server: NDArray[np.int32]
    action: NDArray[np.int32]
    name_weight: Floats
    numbers: Sequence[Numbers]
    """Of the words of each name."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What every stage says about one query and its candidates."""

    dense: DenseEvidence | None
    lexical: LexicalEvidence
    steps: StepEvidence | None
    servers_named: Floats
    """Shape (servers,)."""
    actions: int
    numbers: Numbers
    """Of the query's words."""
    query: QueryFacts


def features(rows: Rows, evidence: Evidence, tools: ToolFacts) -> Floats:
    """Return one line of FEATURES per candidate row."""
    columns: dict[str, Floats | float] = {
        **_dense(evidence.dense),
        **_lexical(evidence.lexical, tools.name_weight[rows]),
        **_servers(rows, evidence.servers_named, tools),
        **_actions(rows, evidence.actions, tools),
        **_numbers(rows, evidence.numbers, tools),
        **_query(evidence),
    }
    columns |= _steps(evidence.steps, columns)
    columns |= _lines(evidence)
    table = np.empty((len(rows), len(FEATURES)), np.float32)
    for column, name in enumerate(FEATURES):
        table[:, column] = columns[name]
    return table


_DENSE: Final = (
    "cosine",
    "cosine_below_best",
    "cosine_over_field",
    "dense_rank",
    "related_cosine",
    "related_below_best",
    "related_rank",
    "reworded_cosine",
    "reworded_below_best",
    "reworded_rank",
    "best_cosine",
    "best_spread",
    "elsewhere",
    "reworded_elsewhere",
)


def _dense(dense: DenseEvidence | None) -> Mapping[str, Floats | float]:
    if dense is None or not dense.best.size:
        return dict.fromkeys(_DENSE, 0.0)
    best = float(dense.best[0])
    field = float((dense.best[BACKGROUND] if dense.best.size > BACKGROUND.start else dense.best[-1:]).mean())
    return {
        "cosine": dense.candidates,
        "cosine_below_best": dense.candidates - best,
        "cosine_over_field": dense.candidates - field,
        "dense_rank": _nearness(dense.candidates),
        "related_cosine": dense.related,
        "related_below_best": dense.related - dense.related.max(initial=0.0),
        "related_rank": _nearness(dense.related),
        "reworded_cosine": dense.reworded,
        "reworded_below_best": dense.reworded - dense.reworded.max(initial=0.0),
        "reworded_rank": _nearness(dense.reworded),
        "reworded_elsewhere": dense.reworded_length - float(dense.reworded.max(initial=0.0)),
        "best_cosine": best,
        "best_spread": best - field,
        "elsewhere": 0.0 if dense.elsewhere is None else dense.elsewhere - best,
    }


def _lexical(lexical: LexicalEvidence, name_weight: Floats) -> Mapping[str, Floats | float]:
    attainable = max(lexical.attainable, 1e-6)
    scores = lexical.scores
    coverage = lexical.coverage / attainable
    named = np.minimum(lexical.coverage[0] / np.maximum(name_weight, 1e-6), 1.0)
    return {
        "bm25": scores / attainable,
        "bm25_of_best": scores / max(float(scores.max(initial=0.0)), 1e-6),
        **{f"in_{field}": coverage[at] for at, field in enumerate(FIELDS)},
        "in_any": coverage[-1],
        "name_found": named,
        "name_complete": (named > 0.99).astype(np.float32),
        "lexical_rank": _nearness(scores),
    }


def _servers(rows: Rows, named: Floats, tools: ToolFacts) -> Mapping[str, Floats | float]:
    own = named[tools.server[rows]] if named.size else np.zeros(len(rows), np.float32)
    return {"server_named": own, "other_server_named": np.maximum(float(named.max(initial=0.0)) - own, 0)}


def _actions(rows: Rows, wanted: int, tools: ToolFacts) -> Mapping[str, Floats | float]:
    performed = tools.action[rows]
    same = (performed & wanted) != 0
    other = ~same & (performed != 0) & (wanted != 0)
    return {"same_action": same.astype(np.float32), "other_action": other.astype(np.float32)}


def _numbers(rows: Rows, asked: Numbers, tools: ToolFacts) -> Mapping[str, Floats | float]:
    same, other = agreement(asked, [tools.numbers[row] for row in rows])
    return {"same_number": same, "other_number": other}


def _steps(steps: StepEvidence | None, columns: Mapping[str, Floats | float]) -> Mapping[str, Floats | float]:
    """Return what the best-fitting step of a task says; without steps the task is its own."""
    if steps is None:
        return {
            "step_cosine": columns["cosine"],
            "step_bm25": columns["bm25"],
            "step_rank": columns["dense_rank"],
        }
    together = steps.cosines + LEXICAL_SHARE * steps.word_shares
    return {
        "step_cosine": steps.cosines.max(axis=0),
        "step_bm25": steps.word_shares.max(axis=0),
        "step_rank": np.stack([_nearness(line) for line in together]).max(axis=0),
    }


def _lines(evidence: Evidence) -> Mapping[str, Floats | float]:
    """Return how few of the lines that word a query are about any tool, and whether it names a product besides."""
    known = evidence.dense.lines_known if evidence.dense is not None else None
    strange = 0.0 if known is None else 1 - min(known / LINES_KNOWN, 1)
    return {
        "lines_elsewhere": strange,
        "product_elsewhere": strange * evidence.query.names_product_elsewhere,
    }


def _query(evidence: Evidence) -> Mapping[str, Floats | float]:
    lexical, query = evidence.lexical, evidence.query
    attainable = max(lexical.attainable, 1e-6)
    return {
        "best_bm25": float(lexical.scores.max(initial=0.0)) / attainable,
        "best_in_any": float(lexical.coverage[-1].max(initial=0.0)) / attainable,
        "words": float(np.log1p(query.words)) / 4,
        "unknown_words": query.unknown_share,
        "foreign": query.foreign_share,
        "steps": query.steps / 4,
    }


def _nearness(scores: Floats) -> Floats:
    """Return 1 for the best, 1/2 for the second and so on; equal scores share a rank, and nothing is near at zero."""
    ahead = np.searchsorted(np.sort(-scores), -scores)
    near: Floats = (1.0 / (1.0 + ahead)).astype(np.float32)
    near[scores <= 0] = 0
    return near

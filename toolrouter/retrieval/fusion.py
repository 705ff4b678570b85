"""Fusion: the features of a candidate become one score, and the score the probability that the tool serves.

The weights are data (`toolrouter/data/fusion`), fitted by `indexes/fit_fusion.py`. Scores come from a small
network over the features. The probability of a candidate is that of any tool serving the query, which facts of
the query tell, times its share in it, which rises with its score: calibration never changes the order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from toolrouter.errors import ModelError
from toolrouter.retrieval.features import FEATURES

Floats = NDArray[np.float32]

GENERIC: Final = "generic"
LEXICAL: Final = "lexical"
DENSE: Final = "dense"
SUMMARY: Final = ("best_score", "log_sum", "gap")
MANY_SERVERS: Final = 8
"""Servers from which on a catalog is asked all sorts of things."""
LEAN_LOGITS: Final = 2.0
"""What one standard deviation between words and vectors adds to a score at a lean of 1."""
MANY_TOOLS: Final = 2_000
"""A catalog of usual size. Of more tools the best looks better by chance alone, of fewer it is more telling."""
FEWER_AND_MORE: Final = (0.35, 1.5)
"""How far that goes, as a divisor of the odds that any tool serves."""
ELSEWHERE: Final = {
    "elsewhere": (0.1, 0.15, 4.0),
    "reworded_elsewhere": (0.35, 0.1, 4.0),
    "lines_elsewhere": (0.0, 1.0, 3.0),
    "product_elsewhere": (0.0, 1.0, 3.0),
}
"""From where on, and over which width, these features say that a query is meant for other tools than there are, and how
many logits less likely it is then that any serves it. Catalogs for fitting lack the tools that people miss; queries
written for real catalogs tell."""
AT_HOME_LOGITS: Final = 1.5
"""How much more likely it is, for all, where those are known: most queries have a little of them."""
OF_SERVERS_UNNAMED: Final = ("elsewhere", "reworded_elsewhere")
"""Those that count where the query names no server."""
IN_FULL: Final = 0.9
"""The share of a query's words, by weight, in a tool's name, from which on the query asks for that name."""
IN_FULL_LOGITS: Final = 1.5
LONE_GAP: Final = 5.0
"""The gap to the second candidate where there is none, and the widest that counts."""


@dataclass(frozen=True, slots=True)
class Layer:
    weights: Floats
    """Shape (inputs, outputs)."""
    bias: Floats


@dataclass(frozen=True, slots=True)
class Fusion:
    """The weights of one profile."""

    columns: NDArray[np.int64]
    """Which features it reads, in its order."""
    mean: Floats
    scale: Floats
    """Shape (columns,): what standardises them; 0 leaves a feature out."""
    networks: tuple[tuple[Layer, ...], ...]
    """Each gives a score of its own; their mean counts."""
    fit_weights: Floats
    """Of the logit that any tool serves, over the columns of the best candidate and `SUMMARY`."""
    fit_intercept: float
    answer_from: float
    """The fit from which on a query is answered over many servers."""
    share_weights: tuple[float, float, float]
    """Of the logit that a candidate serves when any does: over its score less the log of all candidates' exponential
    sum, over its score less the best, and alone. The first two are not negative."""

    def scores(self, table: Floats) -> Floats:
        """Return one score per line of features; higher is better, the scale means nothing."""
        # Equal lines have equal scores: the last bits of a matrix product depend on where a line stands.
        firsts: dict[bytes, int] = {}
        line_of = [firsts.setdefault(line.tobytes(), len(firsts)) for line in table]
        lines = self._standardised(np.frombuffer(b"".join(firsts), table.dtype).reshape(len(firsts), -1))
        found = [_output(lines, network) for network in self.networks]
        return np.asarray(np.mean(found, axis=0), np.float32)[line_of]

    def fit(self, scores: Floats, table: Floats, tools: int = MANY_TOOLS, servers: int = MANY_SERVERS) -> float:
        """Return the probability that any of the candidates serves the query, in a catalog of that size."""
        logit = self.summary(scores, table) @ self.fit_weights + self.fit_intercept
        if self._reads("cosine"):  # by words alone, chance is as great in a small catalog
            logit -= np.log(np.clip(tools / MANY_TOOLS, *FEWER_AND_MORE))
        if table[:, FEATURES.index("in_name")].max() > IN_FULL:
            return float(logistic(logit + IN_FULL_LOGITS))
        asked_elsewhere = min(1, (servers + 2) / (MANY_SERVERS + 2))
        return float(logistic(logit - asked_elsewhere * self._strangeness(table)))

    def answerable(self, fit: float, servers: int) -> float:
        """Return a fit on the scale on which queries are answered from one half on.

        Who has few servers asks them what they are for: less is then asked of the fit.
        """
        threshold = self.answer_from * min(1, (servers + 1) / (MANY_SERVERS + 1))
        odds = fit * (1 - threshold) / max((1 - fit) * threshold, 1e-9)
        return odds / (1 + odds)

    def summary(self, scores: Floats, table: Floats) -> Floats:
        """Return what is known of a query and its candidates as one line."""
        best = int(np.argmax(scores))
        ordered = np.sort(scores)[::-1]
        gap = ordered[0] - ordered[1] if len(ordered) > 1 else LONE_GAP
        line = self._standardised(table[best : best + 1])[0]
        found: Floats = np.r_[line, ordered[0], log_sum(scores), min(gap, LONE_GAP)].astype(np.float32)
        return found

    def shares(self, scores: Floats) -> Floats:
        """Return the probability that each candidate serves, given that any does; rising with the score."""
        likely, near, base = self.share_weights
        logits = likely * (scores - log_sum(scores)) + near * (scores - scores.max()) + base
        return logistic(logits)

    def _strangeness(self, table: Floats) -> float:
        if not self._reads("elsewhere"):
            return 0.0
        is_server_named = table[:, FEATURES.index("server_named")].max() > 0
        found = (
            logits * min(max((float(table[0, FEATURES.index(name)]) - start) / width, 0.0), 1.0)
            for name, (start, width, logits) in ELSEWHERE.items()
            if not (is_server_named and name in OF_SERVERS_UNNAMED)
        )
        return sum(found) - AT_HOME_LOGITS

    def _reads(self, name: str) -> bool:
        return bool(self.scale[self.columns == FEATURES.index(name)].any())

    def probabilities(self, scores: Floats, table: Floats) -> Floats:
        """Return the probability that each candidate serves the query, rising with its score."""
        return self.fit(scores, table) * self.shares(scores)

    def _standardised(self, table: Floats) -> Floats:
        values: Floats = (table[:, self.columns] - self.mean) * self.scale
        return values


def _output(values: Floats, network: Sequence[Layer]) -> Floats:
    for layer in network[:-1]:
        values = np.tanh(values @ layer.weights + layer.bias)
    return (values @ network[-1].weights + network[-1].bias)[:, 0]


def leaning(table: Floats, lean: float) -> Floats:
    """Return what a lean towards words (up to 1) or vectors (down to -1) adds to each score; nothing at 0."""
    words, vectors = (_deviations(table[:, FEATURES.index(name)]) for name in ("bm25", "cosine"))
    found: Floats = (lean * LEAN_LOGITS * (words - vectors)).astype(np.float32)
    return found


def _deviations(values: Floats) -> Floats:
    """Return how many standard deviations each value lies above the mean; 0 where all are equal."""
    spread = float(values.std())
    return (values - values.mean()) / spread if spread > 1e-6 else np.zeros_like(values)


def load_fusion(profile: str) -> Fusion:
    """Return the weights fitted for an embedder, or the generic ones when none were. Raises ModelError."""
    profiles = _profiles()
    return profiles[profile if profile in profiles else GENERIC]


@cache
def _profiles() -> Mapping[str, Fusion]:
    path = files("toolrouter") / "data" / "fusion" / "fusion.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return {name: parse_fusion(entry) for name, entry in document["profiles"].items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"The fusion weights {path} cannot be used ({error}). Reinstall toolrouter.") from error


def parse_fusion(entry: Mapping[str, Any]) -> Fusion:
    """Return the weights of one profile. Raises KeyError, TypeError or ValueError when they cannot be read."""
    return Fusion(
        columns=np.array([FEATURES.index(name) for name in entry["features"]], np.int64),
        mean=np.asarray(entry["mean"], np.float32),
        scale=np.asarray(entry["scale"], np.float32),
        networks=tuple(tuple(map(_parse_layer, network)) for network in entry["networks"]),
        fit_weights=np.asarray(entry["fit_weights"], np.float32),
        fit_intercept=float(entry["fit_intercept"]),
        answer_from=float(entry["answer_from"]),
        share_weights=_three(entry["share_weights"]),
    )


def _parse_layer(entry: Mapping[str, Any]) -> Layer:
    return Layer(np.asarray(entry["weights"], np.float32), np.asarray(entry["bias"], np.float32))


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    likely, near, base = values
    return max(float(likely), 0.0), max(float(near), 0.0), float(base)


def log_sum(scores: Floats) -> float:
    """Return the log of the sum of the candidates' exponentials and of 1, which stands for "nothing serves"."""
    top = max(float(scores.max()), 0.0)
    return top + float(np.log(np.exp(scores - top).sum() + np.exp(-top)))


def logistic(logits: Floats) -> Floats:
    found: Floats = (1 / (1 + np.exp(-np.clip(logits, -30, 30)))).astype(np.float32)
    return found

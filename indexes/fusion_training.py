"""Trains the fusion in plain NumPy: small networks that rank, and a logistic calibration of their mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexes.fusion_examples import Example
from toolrouter.retrieval.features import FEATURES
from toolrouter.retrieval.fusion import SUMMARY, Fusion, Layer, log_sum

Floats = NDArray[np.float64]

CANDIDATES = 64
"""Candidates of a query that training looks at: the gold ones, and those that either side likes best."""
CALIBRATED = 20
"""Best-ranked candidates of a query that the calibration looks at: what could be shown."""
NEWTON_STEPS = 40
NOT_OF_FIT = ("words", "steps", "foreign")


@dataclass(frozen=True, slots=True)
class Recipe:
    hidden: tuple[tuple[int, ...], ...] = ((), (24,), (24,), (24,), (24,))
    """The hidden layers of each network; they differ in their seeds too."""
    epochs: int = 30
    batch: int = 256
    learning_rate: float = 4e-3
    weight_decay: float = 3e-3
    seed: int = 20261121


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples of equal shape: (examples, candidates, features) and (examples, candidates)."""

    tables: Floats
    gold: Floats
    there: Floats
    weights: Floats
    """Shape (examples,)."""

    def pick(self, rows: NDArray[np.int64]) -> Batch:
        return Batch(self.tables[rows], self.gold[rows], self.there[rows], self.weights[rows])


def pack(groups: Sequence[tuple[Sequence[Example], float]]) -> Batch:
    """Return all examples with candidates; each group weighs what it is given, however many it has."""
    examples = [(example, weight / len(group)) for group, weight in groups for example in group if len(example.gold)]
    shape = (len(examples), CANDIDATES)
    tables, gold, there = np.zeros((*shape, len(FEATURES)), np.float32), np.zeros(shape), np.zeros(shape)
    for row, (example, _) in enumerate(examples):
        best = _training_candidates(example)
        tables[row, : len(best)] = example.table[best]
        gold[row, : len(best)] = example.gold[best]
        there[row, : len(best)] = 1
    weights = np.array([weight for _, weight in examples])
    return Batch(tables, gold, there, weights / weights.mean())


def _training_candidates(example: Example) -> NDArray[np.int64]:
    cosine, words = example.table[:, FEATURES.index("cosine")], example.table[:, FEATURES.index("bm25")]
    return np.argsort(-(cosine + 0.3 * words + 10 * example.gold), kind="stable")[:CANDIDATES]


def train(batch: Batch, recipe: Recipe, *, without: Sequence[str] = ()) -> Fusion:
    """Return an uncalibrated fusion that does not look at the features in `without`."""
    lines = batch.tables[batch.there > 0]
    mean, deviation = lines.mean(axis=0), lines.std(axis=0)
    scale = np.where(deviation > 1e-6, 1 / np.maximum(deviation, 1e-6), 0)
    scale[[FEATURES.index(name) for name in without]] = 0
    standardised = Batch((batch.tables - mean) * scale, batch.gold, batch.there, batch.weights)
    networks = tuple(
        _train_network(standardised, (len(FEATURES), *hidden, 1), recipe, seed=recipe.seed + number)
        for number, hidden in enumerate(recipe.hidden)
    )
    return Fusion(
        columns=np.arange(len(FEATURES)),
        mean=mean.astype(np.float32),
        scale=scale.astype(np.float32),
        networks=networks,
        fit_weights=np.zeros(len(FEATURES) + len(SUMMARY), np.float32),
        fit_intercept=0.0,
        answer_from=0.0,
        share_weights=(1.0, 0.0, 0.0),
    )


def raise_features(fusion: Fusion, bonuses: Mapping[str, float]) -> Fusion:
    """Return the fusion with so much more score for each unit of some features, as far as it looks at them."""
    linear = next((at for at, network in enumerate(fusion.networks) if len(network) == 1), None)
    if linear is None:
        return fusion
    weights = fusion.networks[linear][0].weights.copy()
    for name, bonus in bonuses.items():
        column = FEATURES.index(name)
        if fusion.scale[column]:
            weights[column] += bonus * len(fusion.networks) / fusion.scale[column]
    raised = (Layer(weights, fusion.networks[linear][0].bias),)
    return replace(fusion, networks=(*fusion.networks[:linear], raised, *fusion.networks[linear + 1 :]))


def _train_network(batch: Batch, sizes: Sequence[int], recipe: Recipe, *, seed: int) -> tuple[Layer, ...]:
    """Train with Adam and a cosine schedule on how likely the gold tools, or nothing, are among the candidates."""
    rng = np.random.default_rng(seed)
    weights: list[Floats] = [
        rng.normal(0, 1 / np.sqrt(inputs), (inputs, outputs)) for inputs, outputs in pairwise(sizes)
    ]
    parameters = [*weights, *(np.zeros(outputs) for outputs in sizes[1:])]
    first, second = [np.zeros_like(p) for p in parameters], [np.zeros_like(p) for p in parameters]
    steps = 0
    total = recipe.epochs * -(-len(batch.weights) // recipe.batch)
    for _ in range(recipe.epochs):
        order = rng.permutation(len(batch.weights))
        for start in range(0, len(order), recipe.batch):
            gradients = _gradients(batch.pick(order[start : start + recipe.batch]), parameters)
            rate = recipe.learning_rate * 0.5 * (1 + np.cos(np.pi * steps / total))
            steps += 1
            for at, (parameter, gradient) in enumerate(zip(parameters, gradients, strict=True)):
                gradient = gradient + recipe.weight_decay * parameter * (at < len(weights))
                first[at] = 0.9 * first[at] + 0.1 * gradient
                second[at] = 0.999 * second[at] + 0.001 * gradient**2
                unbiased = first[at] / (1 - 0.9**steps), second[at] / (1 - 0.999**steps)
                parameter -= rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
    half = len(weights)
    return tuple(
        Layer(w.astype(np.float32), b.astype(np.float32))
        for w, b in zip(parameters[:half], parameters[half:], strict=True)
    )


def _gradients(batch: Batch, parameters: Sequence[Floats]) -> list[Floats]:
    half = len(parameters) // 2
    weights, biases = parameters[:half], parameters[half:]
    activations = [batch.tables]
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        activations.append(np.tanh(activations[-1] @ weight + bias))
    scores = (activations[-1] @ weights[-1] + biases[-1])[..., 0]
    back = (_score_gradient(scores, batch) * batch.weights[:, None] / len(batch.weights))[..., None]
    found: list[tuple[Floats, Floats]] = []
    for layer in range(half - 1, -1, -1):
        inputs, outputs = activations[layer].reshape(-1, activations[layer].shape[-1]), back.reshape(-1, back.shape[-1])
        found.append((inputs.T @ outputs, outputs.sum(axis=0)))
        if layer:
            back = (back @ weights[layer].T) * (1 - activations[layer] ** 2)
    return [weight for weight, _ in found[::-1]] + [bias for _, bias in found[::-1]]


def _score_gradient(scores: Floats, batch: Batch) -> Floats:
    """Return the gradient of the cross entropy over the candidates and "nothing serves", whose score is 0."""
    scores = np.where(batch.there > 0, scores, -1e9)
    top = np.maximum(scores.max(axis=1, keepdims=True), 0)
    raised = np.exp(scores - top)
    likely = raised / (raised.sum(axis=1, keepdims=True) + np.exp(-top))
    right = batch.gold / np.maximum(batch.gold.sum(axis=1, keepdims=True), 1)
    gradient: Floats = (likely - right) * batch.there
    return gradient


def calibrate(fusion: Fusion, groups: Sequence[tuple[Sequence[Example], float]]) -> Fusion:
    """Return the fusion with probabilities: two logistic regressions, one line per query and one per candidate."""
    examples = [(example, weight / len(group)) for group, weight in groups for example in group if len(example.gold)]
    weights = np.array([weight for _, weight in examples])
    scores = [fusion.scores(example.table) for example, _ in examples]
    summaries = np.stack([fusion.summary(found, one.table) for found, (one, _) in zip(scores, examples, strict=True)])
    answerable = np.array([example.gold.any() for example, _ in examples], float)
    # How long a query is says nothing of whether it is served, but in the sampled catalogs it would seem to.
    summaries[:, [FEATURES.index(name) for name in NOT_OF_FIT]] = 0
    fit = _logistic(np.c_[summaries, np.ones(len(summaries))], answerable, weights)
    share = _share_weights([(found, one.gold) for found, (one, _) in zip(scores, examples, strict=True)], weights)
    return replace(fusion, fit_weights=fit[:-1].astype(np.float32), fit_intercept=float(fit[-1]), share_weights=share)


def answer_most(fusion: Fusion, examples: Sequence[Example], *, share: float) -> Fusion:
    """Return the fusion with the threshold at which it answers this share of the answerable examples."""
    answerable = [example for example in examples if example.gold.any() and not example.named]
    fits = [fusion.fit(fusion.scores(example.table), example.table) for example in answerable]
    return replace(fusion, answer_from=float(np.quantile(fits, 1 - share)))


def _share_weights(
    ranked: Sequence[tuple[NDArray[np.float32], NDArray[np.bool_]]], weights: Floats
) -> tuple[float, float, float]:
    lines, right, counted = [], [], []
    for (scores, gold), weight in zip(ranked, weights, strict=True):
        if gold.any():
            best = np.argsort(-scores, kind="stable")[:CALIBRATED]
            lines.append(np.c_[scores[best] - log_sum(scores), scores[best] - scores.max(), np.ones(len(best))])
            right.append(gold[best])
            counted.append(np.full(len(best), weight))
    for columns in ([0, 1, 2], [0, 2], [2]):
        found = np.zeros(3)
        found[columns] = _logistic(
            np.concatenate(lines)[:, columns], np.concatenate(right).astype(float), np.concatenate(counted)
        )
        if (found[:2] >= 0).all():  # a share that fell with the score would turn the order round
            break
    return float(found[0]), float(found[1]), float(found[2])


def _logistic(lines: Floats, right: Floats, weights: Floats, *, ridge: float = 1e-3) -> Floats:
    weights = weights / weights.sum()
    penalty = np.full(lines.shape[1], ridge)
    penalty[-1] = 1e-9
    found = np.zeros(lines.shape[1])
    for _ in range(NEWTON_STEPS):
        likely = 1 / (1 + np.exp(-np.clip(lines @ found, -30, 30)))
        gradient = lines.T @ (weights * (likely - right)) + penalty * found
        curvature = (lines * (weights * likely * (1 - likely))[:, None]).T @ lines + np.diag(penalty)
        found = found - np.linalg.solve(curvature, gradient)
    return found


def as_data(fusion: Fusion) -> dict[str, Any]:
    """Return a profile of `fusion.json`, rounded to what matters."""
    return {
        "features": list(FEATURES),
        "mean": _rounded(fusion.mean),
        "scale": _rounded(fusion.scale),
        "networks": [
            [{"weights": _rounded(layer.weights), "bias": _rounded(layer.bias)} for layer in network]
            for network in fusion.networks
        ],
        "fit_weights": _rounded(fusion.fit_weights),
        "fit_intercept": round(fusion.fit_intercept, 5),
        "answer_from": round(fusion.answer_from, 5),
        "share_weights": _rounded(np.asarray(fusion.share_weights)),
    }


def _rounded(values: NDArray[Any]) -> Any:
    return np.round(values.astype(float), 5).tolist()

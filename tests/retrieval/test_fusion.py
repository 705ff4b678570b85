"""Weights and what they make of features."""

import json
from typing import Any

import numpy as np
import pytest

from toolrouter.retrieval.features import FEATURES
from toolrouter.retrieval.fusion import GENERIC, LEXICAL, MANY_TOOLS, load_fusion, log_sum, parse_fusion

ENTRY: dict[str, Any] = {
    "features": ["bm25", "cosine", "words"],
    "mean": [0.0, 0.5, 0.0],
    "scale": [1.0, 2.0, 1.0],
    "networks": [
        [{"weights": [[1.0], [1.0], [0.0]], "bias": [0.0]}],
        [
            {"weights": [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], "bias": [0.0, 0.0]},
            {"weights": [[2.0], [2.0]], "bias": [1.0]},
        ],
    ],
    "fit_weights": [0.0, 0.0, 0.5, 1.0, 0.0, 0.0],
    "fit_intercept": -1.0,
    "answer_from": 0.3,
    "share_weights": [2.0, 1.0, 0.5],
}


def table(**values: float) -> Any:
    line = np.zeros((1, len(FEATURES)), np.float32)
    for name, value in values.items():
        line[0, FEATURES.index(name)] = value
    return line


def test_the_networks_scores_are_averaged() -> None:
    found = parse_fusion(ENTRY).scores(table(cosine=0.75, bm25=0.25))
    deep = 2 * np.tanh(0.25) + 2 * np.tanh(0.5) + 1
    assert found[0] == pytest.approx((0.75 + deep) / 2)


def test_a_probability_is_that_of_any_tool_fitting_times_the_share_of_this_one() -> None:
    fusion = parse_fusion(ENTRY)
    lines = np.concatenate([table(words=2.0), table(words=2.0)])
    scores = np.array([0.3, -0.7], np.float32)
    fit = 1 / (1 + np.exp(-(0.5 * 2.0 + 0.3 - 1.0)))
    total = np.log(1 + np.exp(0.3) + np.exp(-0.7))
    shares = 1 / (1 + np.exp(-(2 * (scores - total) + (scores - 0.3) + 0.5)))
    assert fusion.fit(scores, lines) == pytest.approx(fit, rel=1e-5)
    assert fusion.probabilities(scores, lines) == pytest.approx(fit * shares, rel=1e-5)


@pytest.mark.parametrize("profile", [GENERIC, LEXICAL, "a model nobody fitted weights for"])
def test_the_shipped_weights_calibrate_without_changing_the_order(profile: str) -> None:
    fusion = load_fusion(profile)
    scores = np.linspace(-5, 5, 11).astype(np.float32)
    probabilities = fusion.probabilities(scores, np.repeat(table(cosine=0.4), 11, axis=0))
    assert (np.diff(probabilities) >= 0).all()
    assert ((probabilities >= 0) & (probabilities <= 1)).all()


def test_a_query_much_nearer_to_what_is_done_elsewhere_is_hardly_served_unless_it_names_a_server() -> None:
    entry = json.loads(json.dumps(ENTRY).replace('"words"', '"elsewhere"'))
    fusion, scores = parse_fusion(entry), np.array([1.5], np.float32)
    near, far = table(elsewhere=0.1), table(elsewhere=0.3)
    assert fusion.fit(scores, far) < 0.2 < 0.8 < fusion.fit(scores, near)
    assert fusion.fit(scores, table(elsewhere=0.3, server_named=1.0)) > 0.8


def test_what_no_line_of_the_catalog_says_is_less_likely_and_a_product_elsewhere_hardly_served() -> None:
    entry = json.loads(json.dumps(ENTRY).replace('"words"', '"elsewhere"'))
    fusion, scores = parse_fusion(entry), np.array([1.5], np.float32)
    strange = fusion.fit(scores, table(lines_elsewhere=1.0))
    assert fusion.fit(scores, table()) > 2 * strange
    assert fusion.fit(scores, table(lines_elsewhere=1.0, product_elsewhere=1.0)) < 0.1 * strange


def test_who_has_few_servers_is_believed_to_ask_what_they_are_for() -> None:
    entry = json.loads(json.dumps(ENTRY).replace('"words"', '"elsewhere"'))
    fusion, scores, far = parse_fusion(entry), np.array([1.5], np.float32), table(elsewhere=0.3)
    one, few, many, more = (fusion.fit(scores, far, servers=number) for number in (1, 3, 8, 64))
    assert one > few > many == more


def test_a_single_candidate_has_a_probability() -> None:
    found = load_fusion(GENERIC).probabilities(np.array([1.0], np.float32), table(cosine=0.5))
    assert 0 <= found[0] <= 1


@pytest.mark.parametrize("score", [-1e6, -40.0, 0.0, 40.0, 1e6])
def test_extreme_scores_stay_finite(score: float) -> None:
    assert np.isfinite(log_sum(np.array([score, 0.0], np.float32)))
    found = load_fusion(GENERIC).probabilities(np.array([score, 0.0], np.float32), np.repeat(table(), 2, axis=0))
    assert np.isfinite(found).all()


def test_a_fit_at_the_threshold_is_one_half() -> None:
    fusion = parse_fusion(ENTRY)
    assert fusion.answerable(0.3, 64) == fusion.answerable(0.3, 8) == pytest.approx(0.5)
    assert fusion.answerable(0.1, 64) < 0.5 < fusion.answerable(0.9, 64) < fusion.answerable(1.0, 64) <= 1


def test_a_catalog_of_few_servers_answers_sooner() -> None:
    fusion = parse_fusion(ENTRY)
    assert fusion.answerable(0.2, 64) < 0.5 < fusion.answerable(0.2, 2) < fusion.answerable(0.2, 1)


def test_the_best_of_more_tools_is_less_telling_within_bounds() -> None:
    fusion, lines = load_fusion("toolrouter-minilm"), table(cosine=0.5)
    fits = [fusion.fit(fusion.scores(lines), lines, tools) for tools in (1, 500, 1_000, MANY_TOOLS, 2_500, 9_000)]
    assert fits == sorted(fits, reverse=True)
    assert fits[0] == fits[1] > fits[2] > fits[3] == fusion.fit(fusion.scores(lines), lines) > fits[4] > fits[5]


def test_an_unknown_embedder_gets_the_generic_weights() -> None:
    assert load_fusion("a model nobody fitted weights for") is load_fusion(GENERIC)


def test_words_alone_never_look_at_vectors() -> None:
    fusion = load_fusion(LEXICAL)
    silent, loud = (
        table(bm25=0.4, in_any=0.5),
        table(bm25=0.4, in_any=0.5, cosine=0.9, step_cosine=0.9, best_cosine=0.9),
    )
    assert fusion.scores(silent)[0] == pytest.approx(fusion.scores(loud)[0])


def test_weights_for_features_that_are_gone_are_refused() -> None:
    with pytest.raises(ValueError, match="not in"):
        parse_fusion(json.loads(json.dumps(ENTRY).replace('"bm25"', '"gone"')))


def test_a_query_in_the_words_of_a_tools_name_is_served() -> None:
    entry = json.loads(json.dumps(ENTRY).replace('"words"', '"elsewhere"'))
    fusion, scores = parse_fusion(entry), np.array([0.0], np.float32)
    assert fusion.fit(scores, table(elsewhere=0.3, in_name=1.0)) > 0.5 > fusion.fit(scores, table(elsewhere=0.3))

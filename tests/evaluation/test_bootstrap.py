import numpy as np
import pytest

from toolrouter.evaluation.bootstrap import interval, intervals, macro, paired


def test_the_interval_of_a_coin_matches_its_binomial() -> None:
    values = [1.0] * 50 + [0.0] * 50
    found = interval(values)
    assert found.value == 0.5
    assert found.low == pytest.approx(0.40, abs=0.02)  # 1.96 * sqrt(.25 / 100) = .098
    assert found.high == pytest.approx(0.60, abs=0.02)


def test_equal_seeds_give_equal_intervals_and_others_do_not() -> None:
    values = list(np.random.default_rng(1).random(40))
    assert interval(values) == interval(values)
    assert interval(values, seed=1) != interval(values, seed=2)


def test_values_that_never_vary_have_no_width() -> None:
    assert interval([1.0, 1.0, 1.0]).half_width == 0


def test_columns_are_judged_one_by_one() -> None:
    left, right = intervals(np.array([[0.0, 1.0], [0.0, 0.0]]))
    assert (left.value, left.high) == (0, 0)
    assert right.value == 0.5


def test_a_steady_gain_is_distinguishable_though_the_means_overlap() -> None:
    before = list(np.linspace(0, 0.9, 60))
    after = [value + 0.05 for value in before]
    assert paired(after, before).excludes_zero
    assert interval(before).high > interval(after).low


def test_a_gain_on_one_query_of_many_is_not() -> None:
    assert not paired([1.0] + [0.5] * 30, [0.0] + [0.5] * 30).excludes_zero


def test_the_macro_mean_weighs_sets_not_queries() -> None:
    found = macro([[1.0] * 100, [0.0] * 2])
    assert found.value == 0.5
    assert found.low == found.high == 0.5


def test_many_queries_do_not_need_much_memory() -> None:
    assert interval([0.0, 1.0] * 10_000, draws=300).half_width < 0.01

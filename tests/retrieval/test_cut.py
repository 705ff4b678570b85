"""How much of a ranking is shown."""

from hypothesis import given
from hypothesis import strategies as st

from toolrouter.retrieval.cut import cut
from toolrouter.types import Hit, ToolId

COST = 10


def hits(*scores: float) -> list[Hit]:
    return [Hit(ToolId(f"t{at}"), score) for at, score in enumerate(scores)]


def shown(ranking: list[Hit], *, k: int = 10, min_score: float = 0.0, token_budget: int = 1000) -> int:
    return len(cut(ranking, k=k, min_score=min_score, token_budget=token_budget, cost=lambda _: COST))


def test_no_more_than_k_are_shown() -> None:
    assert shown(hits(0.9, 0.8, 0.7), k=2) == 2


def test_a_query_whose_best_hit_is_improbable_is_not_answered() -> None:
    assert shown(hits(0.1, 0.1), min_score=0.2) == 0


def test_alternatives_are_shown_beside_a_best_hit_that_fits() -> None:
    assert shown(hits(0.9, 0.5, 0.1), min_score=0.2) == 3


def test_beyond_five_a_poor_hit_is_noise() -> None:
    assert shown(hits(0.9, 0.06, 0.06, 0.06, 0.06, 0.06, 0.06), min_score=0.05) == 5
    assert shown(hits(0.3, 0.06, 0.06, 0.06, 0.06, 0.06, 0.06), min_score=0.05) == 7


def test_a_query_that_fits_nothing_is_not_answered_unless_nothing_is_judged() -> None:
    unfit = [Hit(ToolId("a"), 0.3, {"fit": 0.4}), Hit(ToolId("b"), 0.2, {"fit": 0.4})]
    assert shown(unfit, min_score=0.05) == 0
    assert shown(unfit, min_score=0.0) == 2


def test_hits_are_shown_while_the_budget_lasts() -> None:
    assert shown(hits(0.9, 0.8, 0.7), token_budget=2 * COST) == 2


def test_the_first_hit_is_shown_whatever_it_costs() -> None:
    assert shown(hits(0.9, 0.8), token_budget=1) == 1


def test_without_a_threshold_the_ranking_is_cut_by_number_alone() -> None:
    assert shown(hits(0.9, 0.0, 0.0), min_score=0.0) == 3


@given(st.lists(st.floats(0, 1), max_size=20), st.integers(1, 20), st.floats(0, 1), st.integers(1, 300))
def test_what_is_shown_is_a_prefix_within_every_limit(
    scores: list[float], k: int, min_score: float, token_budget: int
) -> None:
    ranking = hits(*sorted(scores, reverse=True))
    kept = cut(ranking, k=k, min_score=min_score, token_budget=token_budget, cost=lambda _: COST)
    assert kept == ranking[: len(kept)]
    assert len(kept) <= k
    assert not kept or kept[0].score >= min_score
    assert len(kept) <= 1 or len(kept) * COST <= token_budget

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolrouter.evaluation.measures import MEASURES, completeness, judged, ndcg, recall
from toolrouter.evaluation.sets import Query

SERVERS = {"a/1": "a", "a/2": "a", "b/1": "b", "b/2": "b", "c/1": "c"}


def values(query: Query, *ranked: str) -> dict[str, float]:
    one = judged(query, ranked, SERVERS)
    return {name: measure(one) for name, measure in MEASURES.items()}


def test_one_gold_on_rank_two() -> None:
    found = values(Query("q", "…", ("a/1",)), "c/1", "a/1", "b/1")
    assert found["Recall@1"] == 0
    assert found["Recall@5"] == 1
    assert found["Success@1"] == 0
    assert found["MRR@10"] == 0.5
    assert found["NDCG@10"] == pytest.approx(1 / math.log2(3))
    assert found["Completeness@10"] == 1
    assert found["ServerRecall@5"] == 1


def test_two_gold_of_which_one_is_found_on_rank_three() -> None:
    found = values(Query("q", "…", ("a/1", "b/1")), "c/1", "a/2", "b/1")
    assert found["Recall@5"] == 0.5
    assert found["Completeness@10"] == 0
    assert found["MRR@10"] == pytest.approx(1 / 3)
    # gain 1/log2(4) = 0.5; ideal 1 + 1/log2(3)
    assert found["NDCG@10"] == pytest.approx(0.5 / (1 + 1 / math.log2(3)))
    assert found["ServerRecall@5"] == 1  # a/2 leads to server a as well


def test_a_ranking_with_all_gold_on_top_is_perfect() -> None:
    found = values(Query("q", "…", ("a/1", "b/1")), "b/1", "a/1", "c/1")
    assert found["NDCG@10"] == 1
    assert found["Recall@1"] == 0.5
    assert found["Success@1"] == 1


def test_an_empty_ranking_counts_as_zero_everywhere() -> None:
    assert set(values(Query("q", "…", ("a/1",))).values()) == {0}


def test_a_twin_counts_as_its_gold() -> None:
    query = Query("q", "…", ("a/1",), {"a/1": ("b/1",)})
    assert values(query, "b/1")["Recall@1"] == 1
    assert values(query, "b/1")["ServerRecall@5"] == 1


def test_further_twins_of_a_found_gold_are_skipped_and_the_rest_moves_up() -> None:
    query = Query("q", "…", ("a/1", "c/1"), {"a/1": ("b/1", "b/2")})
    one = judged(query, ["b/1", "a/1", "b/2", "c/1"], SERVERS)
    assert one.gold_ranks == (1, 2)
    assert one.server_ranks == (1, 2)


def test_a_twin_of_two_golds_stands_for_the_one_still_missing() -> None:
    query = Query("q", "…", ("a/1", "a/2"), {"a/1": ("c/1",), "a/2": ("c/1",)})
    assert judged(query, ["a/1", "c/1"], SERVERS).gold_ranks == (1, 2)
    assert judged(query, ["c/1", "a/1", "a/2"], SERVERS).gold_ranks == (1, 2)


def test_a_tool_returned_twice_takes_one_rank() -> None:
    query = Query("q", "…", ("a/1",))
    assert judged(query, ["c/1", "c/1", "a/1"], SERVERS).gold_ranks == (2,)


def test_what_lies_beyond_k_does_not_count() -> None:
    one = judged(Query("q", "…", ("gold",)), [f"t{n}" for n in range(10)] + ["gold"], {})
    assert recall(one, 10) == 0
    assert recall(one, 11) == 1


TOOLS = st.sampled_from([f"t{n}" for n in range(30)])
RANKINGS = st.lists(TOOLS, max_size=25, unique=True)
QUERIES = st.builds(
    lambda gold, alt: Query("q", "…", tuple(gold), {one: tuple(twins) for one, twins in zip(gold, alt, strict=False)}),
    st.lists(TOOLS, min_size=1, max_size=5, unique=True),
    st.lists(st.lists(TOOLS, max_size=3, unique=True), max_size=5),
)


@given(QUERIES, RANKINGS)
def test_every_measure_lies_between_zero_and_one(query: Query, ranked: list[str]) -> None:
    one = judged(query, ranked, {})
    for measure in MEASURES.values():
        assert 0 <= measure(one) <= 1


@given(QUERIES, RANKINGS)
def test_gold_on_top_is_ideal_whatever_its_order(query: Query, ranked: list[str]) -> None:
    rest = [tool for tool in ranked if tool not in query.relevant]
    one = judged(query, [*reversed(query.relevant), *rest], {})
    assert ndcg(one, 10) == pytest.approx(1)
    assert completeness(one, 10) == 1


@given(QUERIES, RANKINGS, st.integers(1, 24))
def test_more_tools_never_find_less(query: Query, ranked: list[str], k: int) -> None:
    one = judged(query, ranked, {})
    assert recall(one, k) <= recall(one, k + 1)
    assert judged(query, ranked[:k], {}).gold_ranks == one.gold_ranks[: len(judged(query, ranked[:k], {}).gold_ranks)]


@given(RANKINGS, st.randoms(use_true_random=False))
def test_recall_within_k_does_not_depend_on_the_order_within_k(ranked: list[str], random: object) -> None:
    query = Query("q", "…", ("t0", "t1", "t2"))
    shuffled = sorted(ranked[:10], key=lambda _: random.random())  # type: ignore[attr-defined]
    assert recall(judged(query, shuffled, {}), 10) == recall(judged(query, ranked, {}), 10)


@given(QUERIES, RANKINGS)
def test_the_best_twin_is_worth_as_much_as_the_gold_in_its_place(query: Query, ranked: list[str]) -> None:
    gold = query.relevant[0]
    twinned = Query("q", "…", (gold,), {gold: ("twin",)})
    swapped = ["twin" if tool == gold else tool for tool in ranked]
    assert judged(twinned, swapped, {}).gold_ranks == judged(Query("q", "…", (gold,)), ranked, {}).gold_ranks

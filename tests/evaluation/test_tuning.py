import numpy as np
import pytest

from toolrouter.evaluation.sets import Query
from toolrouter.evaluation.tuning import Costs, Cut, Way, tune
from toolrouter.retrieval.cut import cut
from toolrouter.types import Hit, ToolId

DEPTH = 30


def line_tokens(tool_id: ToolId) -> int:
    return 20 if tool_id.startswith("short") else 100


def ranking(gold_rank: int, score: float = 0.9) -> list[Hit]:
    ids = [f"short{n}" for n in range(DEPTH)]
    ids.insert(gold_rank - 1, "gold")
    return [Hit(ToolId(one), score * 0.8**rank) for rank, one in enumerate(ids)]


def examples(*gold_ranks: int) -> tuple[list[Query], dict[Way, list[list[Hit]]]]:
    queries = [Query(str(number), "…", ("gold",)) for number in range(len(gold_ranks))]
    return queries, {Way(): [ranking(rank) for rank in gold_ranks]}


def test_it_returns_fewer_tools_when_the_first_is_always_right() -> None:
    queries, rankings = examples(*[1] * 60)
    found = tune(queries, rankings, Cut(10, 0.0, 3_000), cost=line_tokens)
    assert found.after != found.before
    assert found.outcome_after.mean_recall == 1
    assert found.outcome_after.mean_tokens < found.outcome_before.mean_tokens
    assert found.is_distinguishable


def test_it_returns_more_tools_when_the_right_one_is_far_down() -> None:
    queries, rankings = examples(*[12] * 60)
    found = tune(queries, rankings, Cut(5, 0.0, 1_000), cost=line_tokens)
    assert found.outcome_before.mean_recall == 0
    assert found.outcome_after.mean_recall == 1
    assert found.recall_gain.value == 1


def test_settings_that_are_best_already_stay() -> None:
    queries, rankings = examples(*[1] * 30)
    best = tune(queries, rankings, Cut(10, 0.0, 3_000), cost=line_tokens).after
    again = tune(queries, rankings, best, cost=line_tokens)
    assert again.after == best
    assert not again.is_distinguishable


def test_luck_on_a_few_queries_is_not_called_a_gain() -> None:
    queries, rankings = examples(1, 9, 1, 2, 14, 1)
    found = tune(queries, rankings, Cut(8, 0.0, 1_000), cost=line_tokens)
    assert not found.is_distinguishable


def test_silence_is_bought_where_nothing_fits() -> None:
    queries = [Query(str(number), "…", ("gold",)) for number in range(40)]
    queries += [Query(f"none{number}", "…", ()) for number in range(40)]
    rankings = {Way(): [ranking(1) for _ in range(40)] + [ranking(30, score=0.2) for _ in range(40)]}
    found = tune(queries, rankings, Cut(8, 0.0, 1_000), cost=line_tokens)
    assert found.outcome_before.false_answer_rate == 1
    assert found.outcome_after.false_answer_rate == 0
    assert found.outcome_after.answer_rate == 1


def test_a_better_retriever_is_found() -> None:
    queries, rankings = examples(*[1] * 50)
    rankings[Way("lexical")] = [ranking(25) for _ in queries]
    assert tune(queries, rankings, Cut(8, 0.05, 1_000, "lexical"), cost=line_tokens).after.retriever == "hybrid"


def test_a_better_lean_is_found() -> None:
    queries, rankings = examples(*[25] * 50)
    rankings[Way("hybrid", 0.3)] = [ranking(1) for _ in queries]
    found = tune(queries, rankings, Cut(3, 0.05, 1_000), cost=line_tokens)
    assert found.after.way == ("hybrid", 0.3)
    assert found.outcome_after.mean_recall == 1


def test_equal_inputs_give_equal_results() -> None:
    queries, rankings = examples(*[1, 3, 2, 8, 5, 1, 13] * 8)
    before = Cut(8, 0.05, 1_000)
    first, second = (tune(queries, rankings, before, cost=line_tokens) for _ in range(2))
    assert (first.after, first.cost_gain, first.frontier) == (second.after, second.cost_gain, second.frontier)


@pytest.mark.parametrize("how", [Cut(3, 0.0, 1_000), Cut(10, 0.3, 120), Cut(30, 0.05, 300)])
def test_what_is_fitted_is_what_the_search_cuts(how: Cut) -> None:
    queries, rankings = examples(1, 4, 7)
    found = tune(queries, rankings, how, cost=line_tokens, costs=Costs(0, 0))
    shown = [
        cut(hits, k=how.k, min_score=how.min_score, token_budget=how.token_budget, cost=line_tokens)
        for hits in rankings[Way()]
    ]
    tokens = [sum(line_tokens(hit.id) for hit in hits) for hits in shown]
    assert np.array_equal(found.outcome_before.tokens, tokens)
    assert np.array_equal(found.outcome_before.recall, [float("gold" in [hit.id for hit in hits]) for hits in shown])


def test_a_hit_finds_every_tool_that_it_stands_for() -> None:
    ranked = [Hit(ToolId("short"), 0.9, also=(ToolId("gold"),))]
    found = tune([Query("1", "…", ("gold",))], {Way(): [ranked]}, Cut(5, 0.0, 1_000), cost=line_tokens)
    assert found.outcome_before.mean_recall == 1

"""One definition at several servers is one hit, which names the others."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.catalog.making import definition, tool
from tests.retrieval.making import CATALOG, TOOLS, make_index, make_tool
from toolrouter.retrieval.fairness import Standing
from toolrouter.retrieval.search import SearchOptions, search
from toolrouter.retrieval.twins import fold, twins
from toolrouter.types import Hit, ToolId

ALIKE = {ToolId(f"{server}__read"): "h" for server in "abc"}
ALL = SearchOptions(k=50, min_score=0, token_budget=100_000)
COPIES = [make_tool("github2", *rest) for _, *rest in CATALOG if rest[0] == "list_branches"]


def hit(tool_id: str, score: float, **parts: float) -> Hit:
    return Hit(ToolId(tool_id), score, parts)


def shown(folded: list[list[Hit]]) -> list[list[tuple[str, float, tuple[str, ...]]]]:
    return [[(each.id, round(each.score, 3), each.also) for each in ranking] for ranking in folded]


def test_twins_have_the_same_definition_at_several_servers() -> None:
    tools = [tool("a", "read"), tool("b", "read"), tool("b", "write"), tool("c", definition("read", "Another one"))]
    found = twins(tools)
    assert set(found) == {"a__read", "b__read"}
    assert len(set(found.values())) == 1
    assert twins([replace(each, hash="") for each in tools]) == {}


def test_the_best_twin_stands_for_the_others_with_the_probability_of_all() -> None:
    ranking = [hit("b__read", 0.4), hit("x__y", 0.3), hit("a__read", 0.2), hit("c__read", 0.1)]
    assert shown(fold([ranking], ALIKE)) == [[("b__read", 0.7, ("a__read", "c__read")), ("x__y", 0.3, ())]]


def test_twins_are_together_no_more_probable_than_the_hit_before() -> None:
    ranking = [hit("x__y", 0.4), hit("a__read", 0.3), hit("b__read", 0.3)]
    assert shown(fold([ranking], ALIKE)) == [[("x__y", 0.4, ()), ("a__read", 0.4, ("b__read",))]]


def test_one_twin_stands_for_the_others_in_all_rankings_of_a_request() -> None:
    rankings = [[hit("b__read", 0.4), hit("a__read", 0.3)], [hit("a__read", 0.8)], []]
    assert shown(fold(rankings, ALIKE)) == [[("b__read", 0.7, ("a__read",))], [("b__read", 0.8, ("a__read",))], []]


def test_what_is_called_by_name_stands_for_itself() -> None:
    rankings = [[hit("a__read", 0.9)], [hit("b__read", 0.99, named=1), hit("c__read", 0.99, named=1)]]
    assert shown(fold(rankings, ALIKE)) == [
        [("b__read", 0.9, ("a__read",))],
        [("b__read", 0.99, ("a__read",)), ("c__read", 0.99, ())],
    ]


@given(st.lists(st.permutations(["a__read", "b__read", "c__read", "x__y", "x__z"]), max_size=3))
def test_no_tool_is_lost_and_none_is_shown_twice(orders: list[list[str]]) -> None:
    rankings = [[hit(name, 0.1) for name in order] for order in orders]
    for ranking in fold(rankings, ALIKE):
        named = [name for each in ranking for name in (each.id, *each.also)]
        assert sorted(named) == ["a__read", "b__read", "c__read", "x__y", "x__z"]


def test_a_search_shows_one_of_a_server_that_is_configured_twice() -> None:
    index = make_index((*TOOLS, *COPIES))
    answer = search(index, ["list the branches", "list branches of a repository"], ALL)
    (found,) = [each for each in answer.hits if each.id.endswith("__list_branches")]
    assert {found.id, *found.also} == {"github__list_branches", "github2__list_branches"}
    assert all(found.id in {each.id for each in hits} for hits in answer.per_query)
    apart = search(index, ["list the branches"], replace(ALL, fold=False))
    assert sum(each.id.endswith("__list_branches") for each in apart.hits) == 2
    only = search(index, ["list the branches"], replace(ALL, servers=frozenset({"github2"})))
    assert [(each.id, each.also) for each in only.hits] == [("github2__list_branches", ())]


def test_a_newcomer_is_not_named_beside_what_it_copies() -> None:
    index = make_index((*TOOLS, *COPIES))
    index.standing = Standing(frozenset({"github2"}))
    assert all(not each.also for each in search(index, ["list the branches"], ALL).hits)

"""Searching a small catalog with an embedder that knows words alone."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes_embedding import HashEmbedder
from tests.retrieval.making import TOOLS, make_index, make_tool
from toolrouter.retrieval.candidates import gather
from toolrouter.retrieval.cut import SPARED
from toolrouter.retrieval.fairness import Standing
from toolrouter.retrieval.fusion import GENERIC, load_fusion
from toolrouter.retrieval.search import SearchAnswer, SearchOptions, make_requests, search
from toolrouter.retrieval.search_index import SearchIndex
from toolrouter.types import Hit, ToolId

ALL = SearchOptions(k=50, min_score=0, token_budget=100_000)


@pytest.fixture(scope="module")
def index() -> SearchIndex:
    return make_index()


def ids(answer: SearchAnswer) -> list[str]:
    return [hit.id for hit in answer.hits]


def ask(index: SearchIndex, query: str, options: SearchOptions = ALL) -> list[str]:
    return ids(search(index, [query], options))


@pytest.mark.parametrize("retriever", ["hybrid", "dense", "lexical"])
@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("post a message to a channel", "slack__post_message"),
        ("merge a pull request", "github__merge_pull_request"),
        ("take a screenshot of the page", "browser__take_screenshot"),
    ],
)
def test_the_tool_that_serves_comes_first(index: SearchIndex, retriever: str, query: str, best: str) -> None:
    options = SearchOptions(min_score=0, retriever=retriever)
    assert ask(index, query, options)[0] == best


@pytest.mark.parametrize("retriever", ["hybrid", "dense", "lexical"])
@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.id)
def test_a_tool_called_by_its_qualified_name_is_always_first(index: SearchIndex, retriever: str, tool: object) -> None:
    tool_id = getattr(tool, "id", "")
    for query in (tool_id, f"use {tool_id} to post a message to a channel", f"please call {tool_id}"):
        answer = search(index, [query], SearchOptions(retriever=retriever))
        assert answer.hits[0].id == tool_id
        assert answer.hits[0].score > 0.9


def test_a_misspelt_query_finds_the_tool(index: SearchIndex) -> None:
    assert ask(index, "screensht of page")[0] == "browser__take_screenshot"


def test_a_short_misspelt_query_is_embedded_with_what_it_may_mean() -> None:
    embedder = HashEmbedder()
    index = make_index(embedder=embedder)
    search(index, ["tke screensht", "a long task whose words bxrder on nonsense and misspelt nmes mesage"], ALL)
    assert embedder.embedded[-2:] == [
        "tke screensht screenshot",
        "a long task whose words bxrder on nonsense and misspelt nmes mesage",
    ]


def test_a_query_in_another_language_is_searched_for_in_english_too(index: SearchIndex) -> None:
    assert ask(index, "leer el archivo")[0] == "filesystem__read_file"
    assert ask(index, "enviar un mensaje al canal")[0] == "slack__post_message"


def test_a_named_server_goes_before_another_with_the_same_tool(index: SearchIndex) -> None:
    assert ask(index, "open an issue on gitlab")[0] == "gitlab__create_issue"
    assert ask(index, "open an issue on github")[0] == "github__create_issue"


@pytest.mark.parametrize("query", ["", " \n ", "\x00\x01", "\u200b"])
def test_a_query_without_text_is_not_answered(index: SearchIndex, query: str) -> None:
    answer = search(index, [query], SearchOptions())
    assert (answer.hits, answer.answered, answer.warning) == ((), False, "")


@pytest.mark.parametrize(
    "query", ["x" * 1_000_000, "list the channels " * 60_000, "🙂" * 100_000, "\ud800", "a\x00b", "'\"%*"]
)
def test_any_text_is_a_query(index: SearchIndex, query: str) -> None:
    answer = search(index, [query], ALL)
    assert all(math.isfinite(hit.score) for hit in answer.hits)


def test_no_queries_have_no_hits(index: SearchIndex) -> None:
    assert search(index, [], SearchOptions()).answered is False


def test_servers_are_chosen_before_the_best_are() -> None:
    tools = [*(make_tool(f"s{number}", "find_flights", "Find flights") for number in range(300)), *TOOLS]
    options = SearchOptions(servers=frozenset({"slack"}), min_score=0)
    hits = ask(make_index(tools), "find flights", options)
    assert hits
    assert all(hit.startswith("slack__") for hit in hits)


def test_a_tool_of_another_server_is_not_found_even_by_name(index: SearchIndex) -> None:
    options = SearchOptions(servers=frozenset({"slack"}), min_score=0)
    assert "github__create_issue" not in ask(index, "github__create_issue", options)


def test_unknown_servers_have_no_tools(index: SearchIndex) -> None:
    assert ask(index, "post a message", SearchOptions(servers=frozenset({"nowhere"}), min_score=0)) == []
    assert ask(index, "post a message", SearchOptions(servers=frozenset(), min_score=0)) == []


def test_several_queries_are_answered_fairly_and_each_tool_once(index: SearchIndex) -> None:
    answer = search(index, ["merge a pull request", "list the customers", "merge it"], ALL)
    assert {"github__merge_pull_request", "stripe__list_customers"} <= set(ids(answer)[:3])
    assert len(set(ids(answer))) == len(answer.hits)
    assert len(answer.per_query) == 3
    assert answer.per_query[1][0].id == "stripe__list_customers"


def test_an_empty_query_among_others_costs_nothing(index: SearchIndex) -> None:
    answer = search(index, ["", "list the customers"], ALL)
    assert answer.per_query[0] == ()
    assert answer.hits[0].id == "stripe__list_customers"


def test_a_query_that_nothing_fits_leaves_the_hits_of_the_others_as_they_are() -> None:
    index = make_index(lexical=True)
    served = ["create an issue", "list customers"]
    alone = search(index, served, SearchOptions())
    beside = search(index, [*served, "bake pancakes"], SearchOptions())
    assert beside.per_query[2] == ()
    assert len(alone.hits) > len(served)
    assert ids(beside) == ids(alone)


def test_k_and_the_budget_bound_what_is_shown(index: SearchIndex) -> None:
    assert len(search(index, ["list"], SearchOptions(k=2, min_score=0)).hits) == 2
    assert len(search(index, ["list"], SearchOptions(k=9, min_score=0, token_budget=1)).hits) == 1


def test_what_nothing_serves_is_not_answered_and_the_nearest_servers_are_named(index: SearchIndex) -> None:
    answer = search(index, ["post a message to a channel"], SearchOptions(min_score=1.0))
    assert (answer.answered, answer.hits) == (False, ())
    assert answer.near_servers[0] == "slack"
    assert 0 < len(answer.near_servers) <= 3


WORDS = ("list", "issue", "read_file", "merge_pull_request", "slack__post_message", "search", "github", "of", "channel")


class BackwardsReranker:
    """Likes best what comes last."""

    def scores(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        return range(len(texts))


@pytest.fixture(scope="module")
def crowded() -> SearchIndex:
    """Many tools of a server that are alike, a server that is there twice, and a newcomer."""
    parts = ("votes", "labels", "history", "owner", "weight", "parent")
    more = [make_tool("tracker", f"issue_{part}", f"The {part} of an issue") for part in parts]
    again = [replace(tool, id=ToolId(f"{tool.id}2"), server=f"{tool.server}2") for tool in TOOLS[:6]]
    crowded = make_index([*TOOLS, *again, *more, make_tool("new", "issue_all", "All of an issue")])
    crowded.standing = Standing(frozenset({"new"}))
    return crowded


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6), st.sampled_from([-1.0, 0.0, 1.0]), st.booleans())
def test_the_scores_of_a_query_are_probabilities_and_never_rise_down_the_list(
    crowded: SearchIndex, terms: list[str], lean: float, reranked: bool
) -> None:
    reranker = BackwardsReranker() if reranked else None
    for options in (replace(ALL, lean=lean), replace(ALL, fold=False), replace(ALL, retriever="lexical")):
        scores = [hit.score for hit in search(crowded, [" ".join(terms)], options, reranker=reranker).hits]
        assert all(0 <= score <= 1 for score in scores)
        assert all(score >= later for score, later in pairwise(scores)), scores


def test_a_hit_says_what_every_stage_said(index: SearchIndex) -> None:
    parts = search(index, ["post a slack message"], ALL).hits[0].parts
    assert {"dense", "lexical", "name", "server", "action", "fused"} <= set(parts)
    assert parts["server"] == 1


def test_equal_requests_have_equal_answers_and_equal_tools_are_ordered_by_id() -> None:
    tools = [make_tool(server, "same_name", "The same") for server in ("b", "c", "a")]
    for index in (make_index(tools, lexical=True), make_index(tools[::-1], lexical=True)):
        found = ask(index, "the same thing", replace(ALL, fold=False))
        assert found == [
            "a__same_name",
            "b__same_name",
            "c__same_name",
        ]


def test_an_embedder_that_goes_away_costs_a_warning_alone() -> None:
    embedder = HashEmbedder()
    index = make_index(embedder=embedder)
    embedder.fails_after = 0
    answer = search(index, ["merge a pull request"], SearchOptions(min_score=0))
    assert "the endpoint is away" in answer.warning
    assert answer.hits[0].id == "github__merge_pull_request"


def test_a_whole_task_finds_the_tools_of_its_steps(index: SearchIndex) -> None:
    task = "List the customers, give one her money back and post a message about it to a channel."
    assert {"stripe__list_customers", "stripe__create_refund", "slack__post_message"} <= set(ask(index, task)[:5])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=60), max_size=4), st.integers(1, 10), st.floats(0, 1), st.integers(1, 200))
def test_every_answer_keeps_its_promises(queries: list[str], k: int, min_score: float, budget: int) -> None:
    index = make_index(TOOLS[:6])
    answer = search(index, queries, SearchOptions(k=k, min_score=min_score, token_budget=budget))
    assert len(answer.hits) <= k
    assert len({hit.id for hit in answer.hits}) == len(answer.hits)
    assert answer.answered == bool(answer.hits)
    assert not answer.hits or answer.hits[0].score >= min_score
    assert len(answer.per_query) == len(queries)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["list", "issue", "customers", "a", "channel", "message", "zebra"]), min_size=1))
def test_without_a_lean_scores_are_those_of_the_fusion_and_only_the_hybrid_leans(terms: list[str]) -> None:
    index, query = make_index(TOOLS), " ".join(terms)
    found = gather(index, make_requests(index, [query], "hybrid")[0][0])
    fitted = dict(zip((index.ids[row] for row in found.rows), load_fusion(GENERIC).scores(found.table), strict=True))

    def fused(retriever: str, lean: float) -> dict[str, float]:
        options = replace(ALL, retriever=retriever, lean=lean)
        return {hit.id: hit.parts["fused"] for hit in search(index, [query], options).hits}

    assert fused("hybrid", 0.0) == pytest.approx(fitted)
    assert fused("dense", 0.0) == fused("dense", 1.0)
    assert fused("lexical", 0.0) == fused("lexical", -1.0)


def test_a_lean_moves_the_ranking_towards_words_or_vectors_but_not_whether_it_answers(index: SearchIndex) -> None:
    def ranked(lean: float) -> tuple[Hit, ...]:
        return search(index, ["list the customers of a channel"], replace(ALL, lean=lean)).hits

    places = {lean: {hit.id: at for at, hit in enumerate(ranked(lean))} for lean in (-1.0, 1.0)}

    def mean(part: str, *, raised: bool) -> float:
        """Over the tools that words raise, or those that they lower."""
        moved = [hit for hit in ranked(0.0) if (places[1.0][hit.id] - places[-1.0][hit.id]) * (-1 if raised else 1) > 0]
        return fmean(hit.parts[part] for hit in moved)

    assert mean("lexical", raised=True) > mean("lexical", raised=False)
    assert mean("dense", raised=True) < mean("dense", raised=False)
    assert {hit.parts["fit"] for lean in (-1.0, 0.0, 1.0) for hit in ranked(lean)} == {ranked(0.0)[0].parts["fit"]}


@pytest.mark.parametrize("lean", [-1.0, 1.0])
def test_a_tool_called_by_name_comes_first_whatever_the_lean(index: SearchIndex, lean: float) -> None:
    assert search(index, ["stripe__create_refund"], replace(ALL, lean=lean)).hits[0].id == "stripe__create_refund"


def test_a_newcomers_slot_takes_no_other_tools_place() -> None:
    parts = ("votes", "labels", "history", "owner", "weight", "parent")
    tools = [*TOOLS, *(make_tool("tracker", f"issue_{part}", f"The {part} of an issue") for part in parts)]
    options = SearchOptions(min_score=0.3)
    before = ids(search(make_index(tools), ["an issue"], options))
    assert len(before) == SPARED
    invaded = make_index([*tools, make_tool("new", "issue_all", "All of an issue")])
    invaded.standing = Standing(frozenset({"new"}))
    after = ids(search(invaded, ["an issue"], options))
    assert "new__issue_all" in after
    assert [tool for tool in after if tool != "new__issue_all"] == before

"""Building the index."""

import logging

import numpy as np
import pytest

from tests.fakes_embedding import EmbeddingStore, HashEmbedder
from tests.retrieval.making import TOOLS, make_index, make_tool
from toolrouter.retrieval.search import SearchOptions, search
from toolrouter.retrieval.search_index import QueryVectors, about
from toolrouter.types import Server


def test_rows_are_ordered_by_id_whatever_the_order_of_the_tools() -> None:
    assert make_index(TOOLS).ids == make_index(TOOLS[::-1]).ids == tuple(sorted(tool.id for tool in TOOLS))


def test_a_restart_embeds_nothing() -> None:
    store, embedder = EmbeddingStore(), HashEmbedder()
    make_index(embedder=embedder, store=store)
    embedder.embedded.clear()
    make_index(embedder=embedder, store=store)
    assert embedder.embedded == []


def test_the_index_before_lends_its_vectors() -> None:
    embedder = HashEmbedder()
    before = make_index(embedder=embedder)
    embedder.embedded.clear()
    after = make_index([*TOOLS, make_tool("new", "tool", "Something new")], embedder=embedder, previous=before)
    assert len(embedder.embedded) == 1
    assert len(after) == len(before) + 1


def test_another_embedder_takes_nothing_over() -> None:
    before = make_index(embedder=HashEmbedder(name="one"))
    other = HashEmbedder(name="two")
    make_index(embedder=other, previous=before)
    assert len(other.embedded) == len(TOOLS)


def test_a_failing_embedder_leaves_a_lexical_index_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    embedder = HashEmbedder()
    embedder.fails_after = 0
    with caplog.at_level(logging.WARNING):
        index = make_index(embedder=embedder)
    assert index.dense is None
    assert "the endpoint is away" in index.warning
    assert (
        search(index, ["merge a pull request"], SearchOptions(min_score=0)).hits[0].id == "github__merge_pull_request"
    )


def test_progress_is_heard() -> None:
    heard: list[tuple[int, int]] = []
    from toolrouter.retrieval.search_index import build_search_index

    build_search_index(
        TOOLS, {}, embedder=HashEmbedder(), store=None, on_progress=lambda done, total: heard.append((done, total))
    )
    assert heard == [(len(TOOLS), len(TOOLS))]


def test_an_empty_catalog_has_an_index() -> None:
    for index in (make_index([]), make_index([], lexical=True)):
        answer = search(index, ["anything"], SearchOptions())
        assert (len(index), answer.hits, answer.answered) == (0, (), False)


def test_a_tool_costs_about_its_signature_line() -> None:
    index = make_index()
    assert 10 < index.cost_tokens(TOOLS[0].id) < 40
    assert index.server_of(TOOLS[0].id) == "github"


def test_what_a_server_is_about_is_its_title_or_the_start_of_its_instructions() -> None:
    assert about(Server("gh", title="GitHub")) == "GitHub"
    assert about(Server("github", title="GitHub", instructions="Manage code.\nMore.")) == "Manage code."
    assert about(None) == about(Server("x")) == ""


def test_the_words_of_a_servers_title_find_its_tools() -> None:
    tools = [make_tool("a", "run", "Runs it"), make_tool("b", "run", "Runs it")]
    index = make_index(tools, {"b": Server("b", title="Snowflake")})
    assert search(index, ["run on snowflake"], SearchOptions(min_score=0)).hits[0].id == "b__run"


class FittedEmbedder(HashEmbedder):
    """One whose model the fusion may know by name."""

    model = "hash"


def test_what_programs_do_in_general_is_embedded_for_a_fitted_model_once() -> None:
    store, embedder = EmbeddingStore(), FittedEmbedder()
    index = make_index(embedder=embedder, store=store)
    assert index.dense is not None
    assert index.dense.capabilities is not None
    assert len(embedder.embedded) == len(TOOLS) + len(index.dense.capabilities)
    embedder.embedded.clear()
    make_index(embedder=embedder, store=store)
    make_index(embedder=embedder, previous=index)
    assert embedder.embedded == []


def test_a_capability_that_a_tool_has_is_familiar() -> None:
    tools = [*TOOLS, make_tool("dice", "roll", "Play a game or roll dice")]
    with_dice, without = make_index(tools, embedder=FittedEmbedder()).dense, make_index(embedder=FittedEmbedder()).dense
    assert with_dice is not None
    assert without is not None
    assert with_dice.familiar is not None
    assert without.familiar is not None
    assert with_dice.familiar.max() > without.familiar.max()


def test_an_embedder_of_ones_own_is_not_asked_for_capabilities() -> None:
    index = make_index()
    assert index.dense is not None
    assert index.dense.capabilities is None


def test_queries_are_embedded_once_and_the_latest_are_remembered() -> None:
    embedder = HashEmbedder()
    vectors = QueryVectors(embedder, remembered=2)
    first = vectors(["a", "b"])
    assert np.array_equal(vectors(["a", "b"]), first)
    assert embedder.embedded == ["a", "b"]
    vectors(["c"])
    vectors(["b"])
    assert embedder.embedded == ["a", "b", "c"]
    vectors(["a"])
    assert embedder.embedded == ["a", "b", "c", "a"]

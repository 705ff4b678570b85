"""Tools that a query calls by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.retrieval.making import TOOLS, make_tool
from toolrouter.retrieval.names import BARE, QUALIFIED, NameIndex


@pytest.fixture(scope="module")
def names() -> NameIndex:
    return NameIndex(TOOLS)


def mentioned(names: NameIndex, query: str) -> list[str]:
    return [TOOLS[mention.row].id for mention in names.mentioned(query)]


@pytest.mark.parametrize(
    "query",
    [
        "slack__post_message",
        "slack.post_message",
        "slack/post_message",
        "slack:post_message",
        "SLACK__POST_MESSAGE",
        "slack post message",
        "post_message",
        "postMessage",
        "post-message",
        "post message",
        "Post Message",
        "use slack__post_message to greet the team",
        "please call post_message(channel, text)",
        "mcp__toolrouter__slack__post_message",
        'the "post message" tool',
        "run `post_message`.",
        "what does post_message do?",
        "(post_message)",
        "first post_message, and report",
    ],
)
def test_a_tool_called_by_name_is_found(names: NameIndex, query: str) -> None:
    assert mentioned(names, query) == ["slack__post_message"]


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.id)
def test_every_qualified_name_comes_first_alone_and_in_a_sentence(names: NameIndex, tool: object) -> None:
    tool_id = getattr(tool, "id", "")
    assert mentioned(names, tool_id)[0] == tool_id
    assert mentioned(names, f"use {tool_id} to do what I asked for")[0] == tool_id


@pytest.mark.parametrize(
    "query",
    [
        "",
        " ",
        "send an e-mail",
        "look at the file report.pdf",
        "search for flights",
        'put "search" into the box',
        "a follow-up question about read files",
        "create an issue",
        "__",
        "`",
    ],
)
def test_ordinary_text_names_no_tool(names: NameIndex, query: str) -> None:
    assert mentioned(names, query) == []


def test_a_plain_word_is_a_name_when_it_is_the_whole_query_or_called_a_tool(names: NameIndex) -> None:
    assert mentioned(names, "search") == ["search__search"]
    assert mentioned(names, "use the search tool for this") == ["search__search"]
    assert mentioned(names, "the tool called search") == ["search__search"]


def test_a_bare_name_names_the_tools_of_all_servers_that_have_it(names: NameIndex) -> None:
    assert mentioned(names, "create_issue") == ["github__create_issue", "gitlab__create_issue"]


def test_a_qualified_name_comes_before_bare_ones(names: NameIndex) -> None:
    found = names.mentioned("not post_message but gitlab__create_issue")
    assert [(TOOLS[mention.row].id, mention.specificity) for mention in found] == [
        ("gitlab__create_issue", QUALIFIED),
        ("slack__post_message", BARE),
    ]


def test_names_come_in_the_order_of_the_text(names: NameIndex) -> None:
    assert mentioned(names, "slack__post_message and then github__list_branches") == [
        "slack__post_message",
        "github__list_branches",
    ]


def test_a_tool_is_found_by_its_upstream_name_and_by_its_listed_id() -> None:
    tool = make_tool("srv", "weird name!")
    index = NameIndex([tool])
    assert [mention.row for mention in index.mentioned("use `weird name!` now")] == [0]
    assert [mention.row for mention in index.mentioned("srv__weird_name")] == [0]


@given(st.text(max_size=300))
def test_any_text_can_be_asked(query: str) -> None:
    NameIndex(TOOLS).mentioned(query)


def test_of_tools_whose_names_are_spelled_alike_the_one_written_so_comes_first() -> None:
    tools = (make_tool("airtable", "search_records"), make_tool("pinecone", "search-records"))
    names = NameIndex(tools)
    assert [mention.row for mention in names.mentioned("search-records")] == [1, 0]
    assert [mention.row for mention in names.mentioned("search_records")] == [0, 1]


def test_a_name_that_repeats_its_server_is_no_sibling_without_it() -> None:
    names = NameIndex((make_tool("wiki", "get_page"), make_tool("wiki", "wiki_get_page")))
    assert [mention.row for mention in names.mentioned("wiki_get_page")] == [1, 0]
    assert [mention.row for mention in names.mentioned("wiki__get_page")] == [0]


def test_who_takes_the_name_of_another_servers_tool_does_not_stand_before_it() -> None:
    names = NameIndex((make_tool("evil", "github_merge"), make_tool("github", "merge")))
    assert [mention.row for mention in names.mentioned("github_merge")] == [1]

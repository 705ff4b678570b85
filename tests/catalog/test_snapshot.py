from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.catalog.making import definition, tool
from toolrouter.catalog.diff import diff
from toolrouter.catalog.snapshot import Catalog, build_catalog, replace_server
from toolrouter.errors import NotFound
from toolrouter.types import Server, Status, Tool


def catalog(*tools: Tool, aliases: tuple[str, ...] = ()) -> Catalog:
    return build_catalog([Server(alias) for alias in {*aliases, *(tool.server for tool in tools)}], tools)


def refused_name(found: Catalog, name: str) -> NotFound:
    with pytest.raises(NotFound) as caught:
        found.find(name)
    return caught.value


GITHUB = (tool("github", "create_issue"), tool("github", "list_issues"), tool("github", "search"))
BRAVE = (tool("brave-search", "search"), tool("brave-search", "local_search"))


def test_only_approved_and_permitted_tools_are_visible_in_the_order_of_their_ids():
    tools = [tool("b", name, status) for name, status in zip("edcba", Status, strict=True)]
    found = build_catalog(
        [Server("b"), Server("a")], [*tools, tool("a", "x"), tool("a", "no")], lambda t: t.name != "no"
    )
    assert [tool.id for tool in found.visible] == ["a__x", "b__e"]
    assert list(found.tools) == ["a__no", "a__x", "b__a", "b__b", "b__c", "b__d", "b__e"]
    assert list(found.servers) == ["a", "b"]
    assert [tool.name for tool in found.by_server("a")] == ["no", "x"]
    assert found.by_server("unknown") == ()


@pytest.mark.parametrize(
    "name",
    [
        "github__create_issue",
        "github.create_issue",
        "github/create_issue",
        "github:create_issue",
        "create_issue",
        "GitHub__Create_Issue",
        "github__create-issue",
        " create-issue ",
    ],
)
def test_a_tool_is_found_by_every_usual_spelling(name: str):
    assert catalog(*GITHUB, *BRAVE).find(name).id == "github__create_issue"


def test_a_shortened_id_answers_to_its_full_spelling():
    long = tool("some-server", "a_name_so_long_that_the_whole_of_it_does_not_fit_anywhere")
    assert catalog(long).find(f"some-server__{long.name}") is long


def test_a_bare_name_of_several_servers_is_not_guessed():
    assert set(refused_name(catalog(*GITHUB, *BRAVE), "search").near) >= {"github__search", "brave-search__search"}


def test_near_matches_are_few_and_visible():
    hidden = tool("github", "create_issues", Status.WITHDRAWN)
    error = refused_name(catalog(*GITHUB, *BRAVE, hidden), "github__creat_issues")
    assert error.near[0] == "github__create_issue"
    assert hidden.id not in error.near
    assert hidden.id not in str(error)
    assert len(error.near) <= 5


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.APPROVED])
@pytest.mark.parametrize("name", ["github__secret_thing", "github.secret_thing", "secret_thing"])
def test_an_invisible_tool_is_as_unknown_as_one_that_never_was(status: Status, name: str):
    raw = definition("secret_thing", "CANARY")
    error = refused_name(catalog(*GITHUB, tool("github", raw, status, "CANARY")), name)
    there_is_none = refused_name(catalog(*GITHUB), name)
    assert (str(error), error.near) == (str(there_is_none), there_is_none.near)


@pytest.mark.parametrize("name", ["github__delete", "github.delete", "GitHub/delete"])
def test_no_tool_answers_to_a_name_that_reads_as_another_servers(name: str):
    impostor = tool("evil", name)
    found = catalog(impostor, tool("github", "delete", Status.WITHDRAWN))
    refused_name(found, name)
    assert found.find(impostor.id) is impostor


@given(st.text(st.characters(), max_size=300))
def test_any_name_finds_a_tool_or_says_that_there_is_none(name: str):
    found = catalog(*GITHUB, *BRAVE)
    try:
        answer = [found.find(name).id]
    except NotFound as error:
        answer = list(error.near)
    assert set(answer) <= {tool.id for tool in found.visible}


def test_a_miss_among_ten_thousand_tools_is_answered_quickly():
    found = catalog(*(tool(f"server{n % 50}", f"do_thing_number_{n}") for n in range(10_000)))
    refused_name(found, "warm up")
    begun = time.process_time()
    assert refused_name(found, "server7__do_thing_numbr_57" + "x" * 10**6).near
    assert time.process_time() - begun < 2


def test_of_two_tools_with_one_id_only_one_is_served_whatever_the_order():
    one, other = tool("a", "x"), tool("a", "y")
    other = Tool(one.id, "b", "y", other.raw, other.hash, 1)
    assert catalog(one, other).tools == catalog(other, one).tools == {one.id: one}


tool_lists = st.lists(
    st.builds(tool, st.sampled_from(["a", "b", "c"]), st.sampled_from(["x", "y", "z"]), st.sampled_from(Status)),
    unique_by=lambda tool: tool.id,
)


@given(tool_lists, tool_lists)
def test_replacing_a_server_equals_building_anew(before: list[Tool], after: list[Tool]):
    new = [tool for tool in after if tool.server == "b"]
    old = build_catalog([Server("a"), Server("b")], before, lambda tool: tool.name != "z")
    replaced = replace_server(old, Server("b", title="B"), new, lambda tool: tool.name != "z")
    others = [tool for tool in before if tool.server != "b"]
    anew = build_catalog([Server("a"), Server("b", title="B")], [*others, *new], lambda tool: tool.name != "z")
    assert replaced == anew
    assert list(replaced.tools) == list(anew.tools)


@given(tool_lists, tool_lists)
def test_a_diff_leads_from_one_snapshot_to_the_other(before: list[Tool], after: list[Tool]):
    old, new = catalog(*before), catalog(*after)
    changes = diff(old, new)
    result = dict(old.tools)
    for gone in changes.removed:
        assert result.pop(gone.id) == gone
    result.update({tool.id: tool for tool in (*changes.added, *changes.changed)})
    assert result == new.tools
    assert bool(changes) == (old.tools != new.tools)
    assert changes.visible_changed == (old.visible != new.visible)
    assert {tool.status for tool in changes.waiting} <= {Status.PENDING, Status.WITHDRAWN}


def test_a_change_of_status_alone_is_a_change():
    changes = diff(catalog(tool("a", "x")), catalog(tool("a", "x", Status.REJECTED)))
    assert [tool.id for tool in changes.changed] == ["a__x"]
    assert changes.visible_changed

"""What the model is told about servers that wait for the user's login."""

from __future__ import annotations

import anyio
import pytest

from tests.fakes import FakeStatus, World, file_tools, make_world
from toolrouter.errors import LoginNeeded
from toolrouter.server.meta_tools import Call, MetaTools
from toolrouter.types import JsonObject, Server, ServerState
from toolrouter.upstream.oauth import login_needed

pytestmark = pytest.mark.anyio

HINT = "files needs a login: ask the user to run `toolrouter login files`."


async def answer(world: World, name: str, arguments: JsonObject) -> str:
    with anyio.fail_after(120):
        result = await MetaTools(world.router).call(name, Call(arguments))
    text: str = result["content"][0]["text"]
    return text


def locked(alias: str) -> FakeStatus:
    return FakeStatus(ServerState.FAILED, f"{alias}: {login_needed(alias)}")


async def test_tools_that_need_a_login_come_last_and_say_so() -> None:
    world = make_world(file_tools())
    query = {"query": "list files of a repository folder"}
    before = (await answer(world, "search_tools", query)).splitlines()
    world.fleet.states["files"] = locked("files")
    after = (await answer(world, "search_tools", query)).splitlines()
    assert before[0].startswith("files__")
    assert after[0].startswith("git__")
    assert HINT in after
    assert set(before) <= set(after)


async def test_what_an_earlier_process_learnt_counts_until_the_server_was_reached_again() -> None:
    known = {"files": Server("files", listed_at=1, error=f"files: {login_needed('files')}")}
    assert HINT in await answer(make_world(file_tools(), known=known), "search_tools", {"query": "list files"})


async def test_a_server_that_was_never_listed_for_want_of_a_login_is_named_at_a_miss() -> None:
    world = make_world(file_tools(), aliases=["files", "git", "linear"])
    world.fleet.states["linear"] = locked("linear")
    text = await answer(world, "search_tools", {"query": "bake pancakes"})
    assert text.splitlines()[1:] == ["linear needs a login: ask the user to run `toolrouter login linear`."]


async def test_a_call_that_needs_a_login_says_what_to_do() -> None:
    async def refuse(_params: JsonObject, _on_progress: object) -> JsonObject:
        raise LoginNeeded("files", f"files: {login_needed('files')}")

    world = make_world(file_tools(), behaviours={("files", "list_directory"): refuse})
    call = {"name": "files__list_directory", "arguments": {"path": "/"}}
    assert await answer(world, "call_tool", call) == (
        f"files__list_directory was not called. {HINT} Then call again; other servers are not affected."
    )

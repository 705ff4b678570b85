from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest

from tests.fakes import FakeFleet, FakeStatus, file_tools, make_catalog, make_world
from toolrouter.catalog.offers import offers_of
from toolrouter.errors import NotFound, RpcError, UpstreamError
from toolrouter.ports import OnProgress
from toolrouter.server.router import COLD_WAIT_S
from toolrouter.types import JsonObject, Server, ServerState

pytestmark = pytest.mark.anyio

DONE: JsonObject = {"content": [{"type": "text", "text": "done"}]}
READ = ("files", "read_file")


async def test_a_call_reaches_the_upstream_that_owns_the_tool_under_its_own_name() -> None:
    world = make_world(file_tools(), behaviours={("git", "git_log"): DONE})
    assert await world.router.call("git__git_log", {"path": "."}) is DONE
    assert world.fleet.requests == [("git", "tools/call", {"name": "git_log", "arguments": {"path": "."}})]


@pytest.mark.parametrize("name", ["git__git_log", "git.git_log", "git/git_log", "git_log"])
async def test_a_tool_answers_to_the_usual_spellings_of_its_name(name: str) -> None:
    world = make_world(file_tools(), behaviours={("git", "git_log"): DONE})
    assert await world.router.call(name, '{"path": "."}') == DONE


async def test_an_unknown_tool_is_not_found_and_near_names_are_offered() -> None:
    with pytest.raises(NotFound) as caught:
        await make_world(file_tools()).router.call("files__read_fille", {})
    assert "files__read_file" in caught.value.near


async def test_a_call_that_comes_before_the_first_indexing_waits_for_it() -> None:
    world = make_world([], aliases=["files", "git"], ready=False, behaviours={READ: DONE})

    async def index() -> None:
        world.show(file_tools())
        world.ready.set()

    with anyio.fail_after(120):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(index)
            assert await world.router.call("files__read_file", {"path": "x"}) == DONE


async def test_an_unknown_name_is_not_waited_for_when_no_server_could_bring_it() -> None:
    world = make_world(file_tools(), aliases=["files", "git", "slow"], ready=False)
    with anyio.fail_after(COLD_WAIT_S / 2):
        with pytest.raises(NotFound):
            await world.router.call("files__nope", {})


async def test_a_search_on_a_cold_catalog_waits_for_the_first_indexing() -> None:
    world = make_world([], aliases=["files", "git"], ready=False)

    async def index() -> None:
        world.show(file_tools())
        world.ready.set()

    with anyio.fail_after(120):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(index)
            assert (await world.router.search(["list files"])).answered


async def test_waiting_for_readiness_is_bounded() -> None:
    world = make_world([], aliases=["files"], ready=False)
    assert not await world.router.wait_ready(0)
    world.ready.set()
    assert await world.router.wait_ready(0)


async def test_searches_and_calls_are_logged_for_tuning_unless_switched_off() -> None:
    world = make_world(file_tools(), behaviours={READ: {**DONE, "isError": True}})
    await world.router.search(["list files"])
    await world.router.call("files__read_file", {"path": "x"})
    searched, called = world.uses
    assert (searched["kind"], searched["queries"], searched["answered"]) == ("search", ["list files"], True)
    assert searched["shown"][0] == "files__list_directory"
    assert (called["kind"], called["tool"], called["succeeded"]) == ("call", "files__read_file", False)
    quiet = make_world(file_tools(), log_use=False)
    await quiet.router.search(["list files"])
    assert quiet.uses == []


async def test_a_call_that_fails_is_logged_as_failed() -> None:
    world = make_world(file_tools(), behaviours={READ: RpcError(-32000, "no")})
    with pytest.raises(RpcError):
        await world.router.call("files__read_file", {"path": "x"})
    assert world.uses[-1]["succeeded"] is False


async def test_a_server_is_known_by_its_alias_whatever_the_case() -> None:
    router = make_world(file_tools()).router
    assert router.alias("GIT") == "git"
    with pytest.raises(NotFound, match="gti"):
        router.alias("gti")


async def test_the_roster_names_every_enabled_server_and_its_state() -> None:
    about = Server("files", title="Files\n and\x00 folders", listed_at=1.0)
    world = make_world(file_tools(), known={"files": about}, aliases=["git", "files", "dead"])
    world.fleet.states["dead"] = FakeStatus(ServerState.FAILED, "no such command")
    found = [(e.alias, e.about, e.tools, e.state, e.error, e.indexed) for e in world.router.roster()]
    assert found == [
        ("dead", "", 0, ServerState.FAILED, "no such command", False),
        ("files", "Files and folders", 2, ServerState.SLEEPING, "", True),
        ("git", "", 1, ServerState.SLEEPING, "", True),
    ]


async def test_what_the_user_says_about_a_server_comes_before_what_it_says_itself() -> None:
    title = Server("git", title="The best server ever", listed_at=1.0)
    world = make_world(file_tools(), known={"git": title}, servers={"git": {"about": "our repositories"}})
    assert [entry.about for entry in world.router.roster()] == ["", "our repositories"]


async def test_a_request_for_user_input_is_refused_in_words() -> None:
    asking = {"resultType": "input_required", "inputRequests": {}}
    result = await make_world(file_tools(), behaviours={READ: asking}).router.call("files__read_file", {"path": "x"})
    assert result["isError"]
    assert "files__read_file" in result["content"][0]["text"]


async def test_a_tool_that_changes_while_its_server_starts_is_not_called() -> None:
    world = make_world(file_tools(), behaviours={("files", "read_file"): {"content": []}})
    changed = [replace(tool, hash="another") for tool in world.live.snapshot.visible]
    world.fleet.when_started = lambda: setattr(world.live, "snapshot", make_catalog(changed))
    with pytest.raises(NotFound, match="its server changed it"):
        await world.router.call("files__read_file", {"path": "a"})
    assert world.fleet.requests == []


async def test_a_call_to_a_sleeping_server_tells_that_it_is_being_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolrouter.server.starting.TELL_FIRST_S", 0.0)
    told: list[JsonObject] = []
    heard = anyio.Event()

    async def on_progress(params: JsonObject) -> None:
        told.append(params)
        heard.set()

    async def start_slowly(params: JsonObject, on_progress: OnProgress | None) -> JsonObject:
        await heard.wait()
        return {"content": []}

    class SlowFleet(FakeFleet):
        async def request(self, *given: Any, before_send: Any = None, **more: Any) -> JsonObject:
            await heard.wait()
            return await super().request(*given, before_send=before_send, **more)

    world = make_world(file_tools())
    world.router.fleet = SlowFleet({("files", "read_file"): start_slowly})
    with anyio.fail_after(120):
        await world.router.call("files__read_file", {"path": "a"}, on_progress=on_progress)
    assert [each["message"] for each in told] == ["Starting server files"]


async def test_what_a_server_printed_before_it_died_hides_nothing_and_tells_no_secret() -> None:
    said = "files: it ended; its last output:\n\x1b[31mno\u202e \U000e0041key ghp_s3cr3tvalue0000"
    world = make_world(file_tools(), behaviours={READ: UpstreamError("files", said)})
    text = (await world.router.call("files__read_file", {"path": "x"}))["content"][0]["text"]
    assert "no key ***" in text
    world.fleet.behaviours["files", "a"] = UpstreamError("files", said)
    server = Server("files", listed_at=1.0, offers={"prompts": [{"name": "a"}]})
    world.live.snapshot = replace(world.live.snapshot, offers={"files": tuple(offers_of(server))})
    with pytest.raises(RpcError, match=r"no key \*\*\*\Z"):
        await world.router.offerings.get_prompt({"name": "files__a"}, None)

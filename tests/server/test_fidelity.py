"""What servers have beside tools, and what they ask, log and announce: every pair of eras, through real processes."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.server.hosts import ENVELOPE, Host, connected
from toolrouter.app import open_router
from toolrouter.config import Settings
from toolrouter.errors import RpcError
from toolrouter.types import JsonObject
from toolrouter.wire.jsonrpc import Inbound

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_model")]
ASKER = Path(__file__).parent.parent / "upstreams_stub" / "asker.py"
ERAS = ["handshake", "modern"]
CAPABILITIES: JsonObject = {"elicitation": {"form": {}}, "roots": {}}
PAIRS = pytest.mark.parametrize(("host_era", "upstream_era"), [(host, upstream) for host in ERAS for upstream in ERAS])


@dataclass
class Opened:
    router: Any


@asynccontextmanager
async def host_of(
    tmp_path: Path, host_era: str, upstream_era: str, *, capabilities: JsonObject = CAPABILITIES, **router: Any
) -> AsyncIterator[Host]:
    arguments = ["-I", "-S", str(ASKER), *(["modern"] if upstream_era == "modern" else [])]
    servers = {"asker": {"command": sys.executable, "args": arguments}}
    options = {"exposure": "all", "servers": {"asker": {"allow_asking": ["elicitation", "roots"]}}, **router}
    settings = Settings.model_validate({"mcpServers": servers, "toolrouter": options})
    modern = host_era == "modern"
    async with open_router(settings, home=tmp_path / "home", serving=True) as running, AsyncExitStack() as stack:
        host = await stack.enter_async_context(connected(Opened(running.router), modern=modern))  # type: ignore[arg-type]
        if modern:
            host.envelope = {**ENVELOPE, "io.modelcontextprotocol/clientCapabilities": capabilities}
            await host.ask("server/discover")
        else:
            params = {"protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": {"name": "t"}}
            await host.ask("initialize", params)
        await running.router.wait_ready(20)
        yield host


def answering(host: Host, result: JsonObject | RpcError) -> list[tuple[str, JsonObject]]:
    """Lets the host answer questions; returns those that came."""
    asked: list[tuple[str, JsonObject]] = []

    async def answer(method: str, params: JsonObject, inbound: Inbound) -> JsonObject:
        asked.append((method, params))
        if isinstance(result, RpcError):
            raise result
        return result

    host.peer._on_request = answer
    return asked


def said(result: JsonObject) -> Any:
    return json.loads(result["content"][0]["text"])


@PAIRS
async def test_prompts_and_resources_are_listed_qualified_and_served(
    tmp_path: Path, host_era: str, upstream_era: str
) -> None:
    async with host_of(tmp_path, host_era, upstream_era) as host:
        assert (await host.ask("prompts/list"))["prompts"] == [{"name": "asker__greet", "x-own": 1}]
        prompt = await host.ask("prompts/get", {"name": "asker__greet"})
        assert prompt["messages"][0]["content"]["text"] == "greet"
        assert prompt["x-own"] is None
        assert (await host.ask("resources/list"))["resources"] == [{"uri": "asker+note://a", "name": "a"}]
        templates = (await host.ask("resources/templates/list"))["resourceTemplates"]
        assert templates == [{"uriTemplate": "asker+note://by/{id}", "name": "by"}]
        for uri in ("asker+note://a", "asker+note://by/7", "note://a", "note://by/7"):
            contents = (await host.ask("resources/read", {"uri": uri}))["contents"]
            assert contents == [{"uri": uri, "text": f"read {uri.removeprefix('asker+')}"}]
        ref = {"type": "ref/resource", "uri": "asker+note://by/{id}"}
        completed = await host.ask("completion/complete", {"ref": ref, "argument": {"name": "id", "value": ""}})
        assert json.loads(completed["completion"]["values"][0])["uri"] == "note://by/{id}"


@pytest.mark.parametrize("upstream_era", ERAS)
async def test_a_question_of_the_server_reaches_the_handshake_host(tmp_path: Path, upstream_era: str) -> None:
    async with host_of(tmp_path, "handshake", upstream_era) as host:
        asked = answering(host, {"action": "accept", "content": {"name": "Ada"}})
        result = said(await host.call("asker__ask"))
        found = result if upstream_era == "handshake" else result[0]
        assert found == {"action": "accept", "content": {"name": "Ada"}}
        assert asked[0][0] == "elicitation/create"
        assert asked[0][1]["message"] == "The server `asker` asks: Who?"


@pytest.mark.parametrize("upstream_era", ERAS)
async def test_questions_of_calls_in_flight_at_the_same_time_are_all_answered(
    tmp_path: Path, upstream_era: str
) -> None:
    async with host_of(tmp_path, "handshake", upstream_era) as host:
        asked = answering(host, {"action": "decline"})

        async def call() -> None:
            assert "decline" in json.dumps(await host.call("asker__ask"))

        with anyio.fail_after(120):
            async with anyio.create_task_group() as tasks:
                for _ in range(10):
                    tasks.start_soon(call)
        assert len(asked) == 10


async def test_a_process_of_both_eras_that_was_started_for_nobody_is_started_anew_for_its_first_host(
    tmp_path: Path,
) -> None:
    servers = {"asker": {"command": sys.executable, "args": ["-I", "-S", str(ASKER), "both"]}}
    options = {"exposure": "all", "servers": {"asker": {"allow_asking": ["elicitation"]}}}
    settings = Settings.model_validate({"mcpServers": servers, "toolrouter": options})
    async with open_router(settings, home=tmp_path / "home", serving=True) as running:
        assert await running.router.wait_ready(60)
        async with connected(Opened(running.router)) as host:  # type: ignore[arg-type]
            params = {"protocolVersion": "2025-11-25", "capabilities": CAPABILITIES, "clientInfo": {"name": "t"}}
            await host.ask("initialize", params)
            asked = answering(host, {"action": "decline"})
            assert said(await host.call("asker__ask")) == {"action": "decline"}
            assert len(asked) == 1


async def test_a_modern_host_gets_the_question_as_a_result_and_repeats_its_call(tmp_path: Path) -> None:
    async with host_of(tmp_path, "modern", "modern") as host:
        question = await host.call("asker__ask")
        assert question["resultType"] == "input_required"
        assert question["requestState"] == "s1"
        answers = {"who": {"action": "accept"}}
        done = await host.call("asker__ask", None, inputResponses=answers, requestState="s1")
        assert said(done) == [{"action": "accept"}, "s1"]


async def test_a_modern_host_is_asked_by_the_result_and_the_call_to_an_older_server_goes_on(tmp_path: Path) -> None:
    async with host_of(tmp_path, "modern", "handshake") as host:
        asked = await host.call("asker__ask")
        assert asked["resultType"] == "input_required"
        [(key, question)] = asked["inputRequests"].items()
        assert (question["method"], question["params"]["message"]) == (
            "elicitation/create",
            "The server `asker` asks: Who?",
        )
        state = {"requestState": asked["requestState"]}
        again = await host.call("asker__ask", inputResponses={}, **state)
        assert again["inputRequests"] == asked["inputRequests"]  # what is left out stays asked
        answers = {key: {"action": "accept", "content": {"name": "Ada"}}}
        found = await host.call("asker__ask", inputResponses=answers, requestState=again["requestState"])
        assert said(found) == answers[key]


async def test_a_state_serves_once_and_for_its_own_call_alone(tmp_path: Path) -> None:
    async with host_of(tmp_path, "modern", "handshake") as host:
        asked = await host.call("asker__ask")
        [key] = asked["inputRequests"]
        more = {"inputResponses": {key: {"action": "decline"}}, "requestState": asked["requestState"]}
        other = {"name": "asker__ask", "arguments": {"method": "roots/list"}, **more}
        assert "no call waits" in (await host.error_of("tools/call", other)).message
        assert said(await host.call("asker__ask", **more)) == {"action": "decline"}
        same = {"name": "asker__ask", "arguments": {}, **more}
        assert "no call waits" in (await host.error_of("tools/call", same)).message


async def test_a_call_that_cannot_wait_is_refused_in_words(tmp_path: Path) -> None:
    async with host_of(tmp_path, "modern", "handshake", limits={"max_parked": 0}) as host:
        assert "too many calls wait" in said(await host.call("asker__ask"))["message"]


async def test_a_call_that_nobody_comes_back_for_is_given_up(tmp_path: Path) -> None:
    async with (
        host_of(tmp_path, "modern", "handshake", limits={"parked_s": 0.05}) as host,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(host.ask, "subscriptions/listen", {"notifications": {"resourceSubscriptions": ["note://a"]}})
        await host.wait_note()
        asked = await host.call("asker__ask")
        # The stub says so in this way when its call is cancelled.
        assert (await host.wait_note())[0] == "notifications/resources/updated"
        [key] = asked["inputRequests"]
        more = {"inputResponses": {key: {"action": "decline"}}, "requestState": asked["requestState"]}
        error = await host.error_of("tools/call", {"name": "asker__ask", "arguments": {}, **more})
        assert "no call waits" in error.message
        tasks.cancel_scope.cancel()


@PAIRS
async def test_a_question_that_the_config_does_not_allow_reaches_no_host(
    tmp_path: Path, host_era: str, upstream_era: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with host_of(tmp_path, host_era, upstream_era, servers={}) as host:
        asked = answering(host, {"action": "accept"})
        assert said(await host.call("asker__declared")) == {}
        result = await host.call("asker__ask")
        words = result["content"][0]["text"]
        assert 'toolrouter.servers.asker.allow_asking = ["elicitation"]' in words.replace('\\"', '"')
        assert "Who?" not in json.dumps(result)
        assert asked == []
    assert "asker asks for something of the user, which is refused" in caplog.text


@pytest.mark.parametrize("upstream_era", ERAS)
async def test_what_the_host_cannot_do_is_refused_and_nothing_hangs(tmp_path: Path, upstream_era: str) -> None:
    async with host_of(tmp_path, "handshake", upstream_era, capabilities={"roots": {}}) as host:
        with anyio.fail_after(120):
            if upstream_era == "handshake":
                assert "does not support" in said(await host.call("asker__ask"))["message"]
            else:
                error = await host.error_of("tools/call", {"name": "asker__ask", "arguments": {}})
                assert "does not support" in error.message


@PAIRS
async def test_servers_learn_what_the_host_can_do(tmp_path: Path, host_era: str, upstream_era: str) -> None:
    async with host_of(tmp_path, host_era, upstream_era) as host:
        declared = said(await host.call("asker__declared"))
        assert declared == CAPABILITIES


@PAIRS
async def test_log_messages_reach_the_host_that_wants_them(tmp_path: Path, host_era: str, upstream_era: str) -> None:
    async with host_of(tmp_path, host_era, upstream_era) as host:
        extra: JsonObject = {}
        if host_era == "handshake":
            await host.ask("logging/setLevel", {"level": "error"})
        else:
            extra = {"_meta": {"io.modelcontextprotocol/logLevel": "error"}}
        level, asked = said(await host.call("asker__log", None, **extra))
        notes = [params["data"] for method, params in host.notes if method == "notifications/message"]
        assert notes == ["error words"]
        assert (level, asked) == (("error", None) if (host_era, upstream_era) == ERAS_OLD else (level, asked))
        if upstream_era == "modern":
            assert asked == "error"


ERAS_OLD = ("handshake", "handshake")


@pytest.mark.parametrize("upstream_era", ERAS)
async def test_updates_of_a_resource_reach_the_host_that_subscribed(tmp_path: Path, upstream_era: str) -> None:
    async with host_of(tmp_path, "handshake", upstream_era) as host:
        await host.ask("resources/subscribe", {"uri": "asker+note://a"})
        await host.call("asker__touch")
        method, params = await host.wait_note()
        assert (method, params["uri"]) == ("notifications/resources/updated", "asker+note://a")
        await host.ask("resources/unsubscribe", {"uri": "asker+note://a"})
        await host.call("asker__touch")
        await host.ask("ping")
        assert host.notes == []


async def test_a_modern_host_subscribes_by_listening(tmp_path: Path) -> None:
    async with host_of(tmp_path, "modern", "handshake") as host, anyio.create_task_group() as tasks:
        wanted = {"notifications": {"resourceSubscriptions": ["note://a", 7], "toolsListChanged": True}}
        tasks.start_soon(host.ask, "subscriptions/listen", wanted)
        method, params = await host.wait_note()
        assert method == "notifications/subscriptions/acknowledged"
        assert params["notifications"] == {"toolsListChanged": True, "resourceSubscriptions": ["note://a"]}
        await host.call("asker__touch")
        method, params = await host.wait_note()
        assert (method, params["uri"]) == ("notifications/resources/updated", "note://a")
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("trust", ["review-new"])
async def test_what_nobody_approved_is_not_there(tmp_path: Path, trust: str) -> None:
    async with host_of(tmp_path, "handshake", "handshake", trust=trust) as host:
        assert (await host.ask("prompts/list"))["prompts"] == []
        assert (await host.ask("resources/list"))["resources"] == []
        assert (await host.ask("resources/templates/list"))["resourceTemplates"] == []
        for uri in ("note://a", "asker+note://a", "asker+note://by/1", "note://other"):
            assert (await host.error_of("resources/read", {"uri": uri})).code == -32002
            await host.error_of("resources/subscribe", {"uri": uri})
        assert "Unknown prompt" in (await host.error_of("prompts/get", {"name": "greet"})).message
        ref = {"type": "ref/prompt", "name": "asker__greet"}
        await host.error_of("completion/complete", {"ref": ref, "argument": {"name": "a", "value": ""}})


@pytest.mark.parametrize(("trust", "found"), [("trust-on-first-use", True), ("review-new", False)])
async def test_a_search_finds_prompts_and_resources_of_a_server_once_they_are_approved(
    tmp_path: Path, trust: str, found: bool
) -> None:
    async with host_of(tmp_path, "handshake", "handshake", exposure="search", trust=trust) as host:
        given = {"query": "greet, or read a note", "include": ["prompts", "resources"]}
        text = await host.text_of("search_tools", given)
        assert [name in text for name in ("asker__greet", "asker+note://a", "asker+note://by/{id}")] == [found] * 3


async def test_hits_become_tools_of_a_handshake_host_before_it_sees_them(tmp_path: Path) -> None:
    async with host_of(tmp_path, "handshake", "handshake", exposure="dynamic") as host:
        before = {tool["name"] for tool in (await host.ask("tools/list"))["tools"]}
        assert "asker__touch" not in before
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(host.call, "search_tools", {"query": "touch"})
            method, _ = await host.wait_note()
            assert method == "notifications/tools/list_changed"
            assert "asker__touch" in {tool["name"] for tool in (await host.ask("tools/list"))["tools"]}

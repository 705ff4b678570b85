"""Servers that may ask, and remember what they were told: nothing of one host may reach another through them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from tests.server.hosts import ENVELOPE, Host, connected
from tests.server.test_http import headers, served
from toolrouter.app import Running, open_router
from toolrouter.config import Settings
from toolrouter.types import JsonObject, Status
from toolrouter.upstream import own
from toolrouter.wire.jsonrpc import Inbound

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_model")]
ROOTED = Path(__file__).parent.parent / "upstreams_stub" / "rooted.py"
ABLE: JsonObject = {"roots": {"listChanged": True}, "elicitation": {"form": {}}}
EVERYTHING = ("roots", "elicitation")


def settings_of(*allowed: str, args: tuple[str, ...] = (), **limits: Any) -> Settings:
    server = {"command": sys.executable, "args": ["-I", "-S", str(ROOTED), *args]}
    options = {"exposure": "all", "limits": limits, "servers": {"rooted": {"allow_asking": list(allowed)}}}
    return Settings.model_validate({"mcpServers": {"rooted": server}, "toolrouter": options})


@asynccontextmanager
async def running_by(settings: Settings, home: Path) -> AsyncIterator[Running]:
    with anyio.fail_after(120):
        async with open_router(settings, home=home) as running:
            await running.index()
            yield running


@asynccontextmanager
async def host_named(running: Running, name: str, capabilities: JsonObject = ABLE) -> AsyncIterator[Host]:
    """A host whose one folder, and whose answer to any question, is its name."""
    async with connected(running) as host:  # type: ignore[arg-type]
        folders = [name]

        async def answer(method: str, params: JsonObject, inbound: Inbound) -> JsonObject:
            if method == "roots/list":
                return {"roots": [{"uri": f"file:///{folder}"} for folder in folders]}
            return {"action": "accept", "content": {"who": name}}

        host.peer._on_request = answer
        host.folders = folders  # type: ignore[attr-defined]
        client = {"name": name, "version": "1"}
        params = {"protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": client}
        await host.ask("initialize", params)
        await host.peer.notify("notifications/initialized")
        yield host


async def said(host: Host, tool: str) -> Any:
    return json.loads(await host.text_of(f"rooted__{tool}"))


async def pid_of(host: Host) -> int:
    return int((await said(host, "pid"))[0])


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def ends(running: Running) -> Callable[[], Any]:
    """Waits until every connection that is open now has ended."""
    runs = [each.keeper._run for each in running.fleet._owns]

    async def wait() -> None:
        for run in runs:
            if run is not None:
                await run.done.wait()

    return wait


async def test_what_a_server_remembers_of_one_host_is_not_told_to_another(tmp_path: Path) -> None:
    async with (
        running_by(settings_of("roots"), tmp_path) as running,
        host_named(running, "ada") as ada,
        host_named(running, "bob") as bob,
    ):
        for _ in range(2):
            assert await said(ada, "roots") == ["file:///ada"]
            assert await said(bob, "roots") == ["file:///bob"]
        ada.folders.append("more")  # type: ignore[attr-defined]
        bob.folders.append("more")  # type: ignore[attr-defined]
        await ada.peer.notify("notifications/roots/list_changed")
        await ada.ask("ping")
        assert await said(ada, "roots") == ["file:///ada", "file:///more"]
        assert await said(bob, "roots") == ["file:///bob"]  # nobody told its server that they changed
        assert running.fleet.host_connections("rooted") == 2


async def test_two_hosts_are_asked_at_the_same_time_each_its_own_question(tmp_path: Path) -> None:
    async with (
        running_by(settings_of("elicitation"), tmp_path) as running,
        host_named(running, "ada") as ada,
        host_named(running, "bob") as bob,
    ):
        asked: list[str] = []
        both = anyio.Event()
        found: dict[str, Any] = {}

        async def call(host: Host, name: str) -> None:
            async def answer(method: str, params: JsonObject, inbound: Inbound) -> JsonObject:
                asked.append(name)
                if len(asked) == 2:
                    both.set()
                await both.wait()
                return {"action": "accept", "content": {"who": name}}

            host.peer._on_request = answer
            found[name] = await said(host, "ask")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, ada, "ada")
            tasks.start_soon(call, bob, "bob")
        assert sorted(asked) == ["ada", "bob"]
        assert {name: each["content"]["who"] for name, each in found.items()} == {"ada": "ada", "bob": "bob"}


async def test_a_host_that_leaves_ends_its_connection_and_no_other(tmp_path: Path) -> None:
    async with running_by(settings_of(*EVERYTHING), tmp_path) as running, host_named(running, "ada") as ada:
        kept = await pid_of(ada)
        async with host_named(running, "bob") as bob:
            left = await pid_of(bob)
            assert left != kept
            [ended] = [each.keeper._run for each in running.fleet._owns if each.host != _host_of(running, kept)]
        assert ended is not None
        await ended.done.wait()
        assert not is_alive(left)
        assert await pid_of(ada) == kept
        assert running.fleet.host_connections("rooted") == 1


def _host_of(running: Running, pid: int) -> object:
    connections = {each.keeper.status.pid: each.host for each in running.fleet._owns}
    return connections[pid]


async def test_hosts_that_can_be_asked_nothing_share_a_connection_on_which_nobody_is_asked(tmp_path: Path) -> None:
    async with (
        running_by(settings_of("roots"), tmp_path) as running,
        host_named(running, "ada", {}) as ada,
        host_named(running, "bob", {"elicitation": {}}) as bob,
        host_named(running, "eve") as eve,
    ):
        shared, _ = await said(ada, "pid")
        assert running.fleet.host_connections("rooted") == 0
        assert await pid_of(bob) == shared
        assert "does not support roots/list" in (await said(bob, "roots"))["message"]
        own_pid, declared = await said(eve, "pid")
        assert (own_pid != shared, declared) == (True, ["roots"])


async def test_a_server_that_may_not_ask_has_one_connection_for_everybody_and_edits_count_at_once(
    tmp_path: Path,
) -> None:
    async with (
        running_by(settings_of(), tmp_path) as running,
        host_named(running, "ada") as ada,
        host_named(running, "bob") as bob,
    ):
        shared = await pid_of(ada)
        assert await pid_of(bob) == shared
        assert running.fleet.host_connections("rooted") == 0

        await running.apply(settings_of("roots"))
        await running.index()
        own_pid, declared = await said(ada, "pid")
        assert (await pid_of(bob) in {shared, own_pid}, own_pid == shared, declared) == (False, False, ["roots"])

        await running.apply(settings_of(*EVERYTHING))
        assert (await said(ada, "pid"))[1] == ["elicitation", "roots"]

        wait = ends(running)
        await running.apply(settings_of())
        await wait()
        assert running.fleet.host_connections("rooted") == 0
        assert await pid_of(ada) == await pid_of(bob)


async def test_a_restart_concerns_the_connections_of_hosts_too(tmp_path: Path) -> None:
    async with running_by(settings_of("roots"), tmp_path) as running, host_named(running, "ada") as ada:
        before = await pid_of(ada)
        await running.fleet.restart("rooted")
        assert await pid_of(ada) != before


async def test_beyond_the_bound_the_longest_unused_connection_gives_way_and_a_busy_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(
            running_by(settings_of(*EVERYTHING, max_host_connections=2), tmp_path)
        )
        ada, bob, eve = [await stack.enter_async_context(host_named(running, name)) for name in ("ada", "bob", "eve")]
        first = {name: await pid_of(host) for name, host in (("ada", ada), ("bob", bob), ("eve", eve))}
        assert len(set(first.values())) == 3
        assert running.fleet.host_connections("rooted") == 2
        assert await pid_of(bob) == first["bob"]
        assert await pid_of(ada) != first["ada"]  # in the place of eve, who was not heard of for longest

        asked: list[str] = []
        both, answered = anyio.Event(), anyio.Event()

        async def hesitate(method: str, params: JsonObject, inbound: Inbound) -> JsonObject:
            asked.append(method)
            if len(asked) == 2:
                both.set()
            await answered.wait()
            return {"action": "decline"}

        async def ask(host: Host) -> None:
            host.peer._on_request = hesitate
            assert await said(host, "ask") == {"action": "decline"}

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, ada)
            tasks.start_soon(ask, bob)
            await both.wait()
            monkeypatch.setattr(own, "ROOM_S", 0.05)
            refusal = await eve.text_of("rooted__pid")
            assert "calls of other hosts keep all 2 connections to it busy; this one was not sent" in refusal
            monkeypatch.setattr(own, "ROOM_S", 60)
            tasks.start_soon(pid_of, eve)
            answered.set()


async def test_what_a_server_shows_on_the_connection_of_one_host_alone_is_not_called(tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    async with (
        running_by(settings_of("roots", args=(str(changed),)), tmp_path / "home") as running,
        host_named(running, "ada") as ada,
        host_named(running, "bob") as bob,
    ):
        before = await pid_of(ada)
        changed.touch()
        result = await bob.error_of("tools/call", {"name": "rooted__pid", "arguments": {}})
        assert "rooted shows this host another `pid` than the one that was approved" in result.message
        assert await said(bob, "roots") == ["file:///bob"]
        assert await pid_of(ada) == before  # it runs on with the definition that was approved
        await running.fleet.restart("rooted")
        [tool] = [tool for tool in running.catalog.snapshot.by_server("rooted") if tool.name == "pid"]
        assert tool.status is not Status.APPROVED
        assert "rooted__pid" in (await ada.error_of("tools/call", {"name": "rooted__pid", "arguments": {}})).message


async def test_requests_of_hosts_that_are_not_known_beyond_them_share_a_process_that_hears_no_roots(
    tmp_path: Path,
) -> None:
    envelope = {**ENVELOPE, "io.modelcontextprotocol/clientCapabilities": ABLE}

    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(running_by(settings_of(*EVERYTHING), tmp_path))
        endpoint = await stack.enter_async_context(served(running))  # type: ignore[arg-type]

        async def call(tool: str, **params: Any) -> Any:
            name = f"rooted__{tool}"
            routing = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": name}
            given = {"name": name, "arguments": {}, "_meta": envelope, **params}
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": given}
            async with httpx2.AsyncClient(headers=headers(endpoint, routing), timeout=60) as client:
                return (await client.post(endpoint.url, json=body)).json()["result"]

        pids = {json.loads((await call("pid"))["content"][0]["text"])[0] for _ in range(2)}
        assert len(pids) == 1
        for _ in ("ada", "bob"):
            refused = await call("roots")
            assert "this connection is not the host's alone" in json.loads(refused["content"][0]["text"])["message"]
            asked = await call("ask")
            [key] = asked["inputRequests"]
            answers = {key: {"action": "decline"}}
            found = await call("ask", inputResponses=answers, requestState=asked["requestState"])
            assert json.loads(found["content"][0]["text"]) == {"action": "decline"}
        assert running.fleet.host_connections("rooted") == 0

"""Whom a question of a remote server reaches, with real SDK servers: calls of one host and of two, one and several."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.server.hosts import BESIDE_SDK_SERVERS, Host, connected
from toolrouter.app import open_router
from toolrouter.config import Settings
from toolrouter.types import JsonObject
from toolrouter.wire.jsonrpc import Inbound

pytestmark = BESIDE_SDK_SERVERS

http_servers = pytest.importorskip("tests.upstreams_stub.http_servers")
UNTOLD = ["sse", "http-standalone"]
"""Where a server's question does not say which call caused it: one stream for all, and the stream of no request."""


@dataclass
class Door:
    """One host's end, and what it was asked."""

    host: Host
    name: str
    asked: list[str] = field(default_factory=list)

    async def call(self, calls: int = 1) -> JsonObject:
        """Its answer to the question, or what the server was told instead."""
        result = await self.host.call("asker__ask", {"together": calls, "by": self.name})
        found: JsonObject = json.loads(result["content"][0]["text"])
        return found

    async def answer(self, method: str, params: JsonObject, inbound: Inbound) -> JsonObject:
        self.asked.append(params["message"])
        return {"action": "accept", "content": {"who": self.name}}


@asynccontextmanager
async def doors(tmp_path: Path, kind: str, *names: str) -> AsyncIterator[list[Door]]:
    """Hosts of one router, in front of one server that asks over `kind`."""
    app = http_servers.asking_app("sse" if kind == "sse" else "http", standalone=kind == "http-standalone")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_within(120))
        url = await stack.enter_async_context(http_servers.serving(app))
        server = {"url": f"{url}/sse" if kind == "sse" else f"{url}/mcp", "type": "sse" if kind == "sse" else "http"}
        options = {"exposure": "all", "servers": {"asker": {"allow_asking": ["elicitation"]}}}
        settings = Settings.model_validate({"mcpServers": {"asker": server}, "toolrouter": options})
        running = await stack.enter_async_context(open_router(settings, home=tmp_path / "home"))
        found = []
        for name in names:
            host = await stack.enter_async_context(connected(running))  # type: ignore[arg-type]
            door = Door(host, name)
            host.peer._on_request = door.answer
            capabilities = {"elicitation": {"form": {}}}
            params = {"protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": {"name": name}}
            await host.ask("initialize", params)
            found.append(door)
        await running.index()
        yield found


@asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    with anyio.fail_after(seconds):
        yield


async def all_at_once(*calls: Any) -> list[JsonObject]:
    found: list[JsonObject] = [{}] * len(calls)

    async def keep(number: int, call: Any) -> None:
        found[number] = await call

    async with anyio.create_task_group() as tasks:
        for number, call in enumerate(calls):
            tasks.start_soon(keep, number, call)
    return found


@pytest.mark.parametrize("kind", [*UNTOLD, "http"])
async def test_a_question_reaches_the_host_whose_call_is_the_only_one_under_way(tmp_path: Path, kind: str) -> None:
    async with doors(tmp_path, kind, "ada", "bob") as (ada, bob):
        assert await bob.call() == {"who": "bob"}
        assert (ada.asked, bob.asked) == ([], ["The server `asker` asks: Who? (bob)"])
        assert await ada.call() == {"who": "ada"}
        assert len(ada.asked) == len(bob.asked) == 1


@pytest.mark.parametrize("kind", [*UNTOLD, "http"])
async def test_with_calls_of_two_hosts_under_way_both_questions_reach_their_own_hosts(
    tmp_path: Path, kind: str
) -> None:
    async with doors(tmp_path, kind, "ada", "bob") as (ada, bob):
        assert await all_at_once(ada.call(2), bob.call(2)) == [{"who": "ada"}, {"who": "bob"}]
        assert ada.asked == ["The server `asker` asks: Who? (ada)"]
        assert bob.asked == ["The server `asker` asks: Who? (bob)"]


@pytest.mark.parametrize("kind", UNTOLD)
async def test_two_calls_of_one_host_are_both_asked_about(tmp_path: Path, kind: str) -> None:
    async with doors(tmp_path, kind, "ada", "bob") as (ada, bob):
        assert await all_at_once(ada.call(2), ada.call(2)) == [{"who": "ada"}, {"who": "ada"}]
        assert (len(ada.asked), bob.asked) == (2, [])

"""Hosts for tests: a JSON-RPC peer in memory, and the words it opens a connection with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from tests.fakes import World
from tests.upstream import stubs
from toolrouter.errors import RpcError
from toolrouter.server.stdio import serve_stream
from toolrouter.types import JsonObject
from toolrouter.wire.jsonrpc import Inbound, Peer
from toolrouter.wire.lines import encode_message, read_messages

ENVELOPE: JsonObject = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}

BESIDE_SDK_SERVERS = [
    *stubs.BESIDE_SDK_SERVERS,
    pytest.mark.usefixtures("one_model"),
]


@dataclass
class Host:
    """A host in memory: requests go out, notifications are collected."""

    peer: Peer
    notes: list[tuple[str, JsonObject]] = field(default_factory=list)
    noted: anyio.Event = field(default_factory=anyio.Event)
    envelope: JsonObject | None = None

    async def ask(self, method: str, params: JsonObject | None = None, **more: Any) -> JsonObject:
        given = dict(params or {})
        if self.envelope is not None:
            given["_meta"] = {**self.envelope, **given.get("_meta", {})}
        return await self.peer.request(method, given, timeout_s=60, **more)

    async def error_of(self, method: str, params: JsonObject | None = None) -> RpcError:
        try:
            result = await self.ask(method, params)
        except RpcError as error:
            return error
        raise AssertionError(f"{method} was answered: {result}")

    async def call(self, name: str, arguments: object = None, **params: Any) -> JsonObject:
        return await self.ask("tools/call", {"name": name, "arguments": arguments or {}, **params})

    async def text_of(self, name: str, arguments: object = None) -> str:
        result = await self.call(name, arguments)
        return str(result["content"][0]["text"])

    async def initialize(self, version: str = "2025-11-25") -> JsonObject:
        params = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        result = await self.ask("initialize", params)
        await self.peer.notify("notifications/initialized")
        return result

    async def wait_note(self) -> tuple[str, JsonObject]:
        """The next notification."""
        with anyio.fail_after(120):
            while not self.notes:
                self.noted = anyio.Event()
                await self.noted.wait()
        return self.notes.pop(0)


@asynccontextmanager
async def connected(world: World, *, modern: bool = False) -> AsyncIterator[Host]:
    """A host that has not opened its connection yet."""
    to_router, router_reads = anyio.create_memory_object_stream[bytes](1_000)
    to_host, host_reads = anyio.create_memory_object_stream[bytes](1_000)

    async def send(message: JsonObject) -> None:
        await to_router.send(encode_message(message))

    async def refuse(method: str, params: JsonObject, inbound: Inbound) -> JsonObject:
        raise RpcError(-32601, method)

    async def note(method: str, params: JsonObject) -> None:
        host.notes.append((method, params))
        host.noted.set()

    peer = Peer("router", read_messages(_receiver(host_reads), 2**26), send, on_request=refuse, on_notification=note)
    host = Host(peer, envelope=ENVELOPE if modern else None)
    with anyio.fail_after(120):
        async with anyio.create_task_group() as tasks, to_router, router_reads, to_host, host_reads:
            tasks.start_soon(serve_stream, world.router, _receiver(router_reads), to_host.send)
            await tasks.start(peer.run)
            yield host
            tasks.cancel_scope.cancel()


def _receiver(stream: Any) -> Any:
    async def receive() -> bytes:
        try:
            return bytes(await stream.receive())
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            return b""

    return receive

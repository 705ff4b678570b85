"""The demo's end of a connection to `toolrouter serve`: a host in thirty lines."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from anyio.abc import Process

from toolrouter.errors import RpcError, ToolrouterError, UpstreamError
from toolrouter.types import JsonObject
from toolrouter.wire.jsonrpc import METHOD_NOT_FOUND, Inbound, Peer
from toolrouter.wire.lines import encode_message, read_messages

_MESSAGE_LIMIT = 16 * 2**20
_STOP_LIMIT_S = 10.0


@asynccontextmanager
async def connected_router(config: Path, environment: Mapping[str, str]) -> AsyncIterator[Peer]:
    """A running router over this config, and our end of the connection.

    Raises:
        ToolrouterError: it broke off; the message has the end of its log.
    """
    log = config.with_name("serve.log")
    try:
        async with _started(config, environment, log) as process, anyio.create_task_group() as tasks:
            peer = _peer(process)
            tasks.start_soon(peer.run)
            yield peer
            await _close_stdin(process)
            with anyio.move_on_after(_STOP_LIMIT_S):
                await process.wait()
            tasks.cancel_scope.cancel()
    except* UpstreamError as group:
        tail = log.read_text(encoding="utf-8", errors="replace")[-2_000:]
        raise ToolrouterError(f"The router broke off: {group.exceptions[0]}\n{tail}") from group


@asynccontextmanager
async def _started(config: Path, environment: Mapping[str, str], log: Path) -> AsyncIterator[Process]:
    words = (sys.executable, "-m", "toolrouter", "serve", "--no-daemon", "--config", str(config))
    with log.open("wb") as errors:
        process = await anyio.open_process(words, env=environment, stdin=subprocess.PIPE, stderr=errors)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        with anyio.CancelScope(shield=True), anyio.move_on_after(_STOP_LIMIT_S):
            await process.aclose()


def _peer(process: Process) -> Peer:
    async def receive() -> bytes:
        if process.stdout is None:
            return b""
        try:
            return await process.stdout.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return b""

    async def send(message: JsonObject) -> None:
        if process.stdin is None:
            return
        try:
            await process.stdin.send(encode_message(message))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise UpstreamError("toolrouter", "the router has ended") from error

    messages = read_messages(receive, _MESSAGE_LIMIT)
    return Peer("toolrouter", messages, send, on_request=_refuse, on_notification=_ignore)


async def _close_stdin(process: Process) -> None:
    if process.stdin is not None:
        await process.stdin.aclose()


async def _refuse(method: str, _params: JsonObject, _inbound: Inbound) -> JsonObject:
    raise RpcError(METHOD_NOT_FOUND, f"Method not found: {method}")


async def _ignore(_method: str, _params: JsonObject) -> None:
    """Every list is asked for anew."""

"""Serves one host on stdin and stdout. Nothing but the protocol reaches stdout."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import anyio
import anyio.to_thread

from toolrouter.config import Exposure
from toolrouter.server.exposure import Surface
from toolrouter.server.meta_tools import MetaTools
from toolrouter.server.results import encoded
from toolrouter.server.router import Router
from toolrouter.server.session import HostSession
from toolrouter.server.signals import on_stop_signal
from toolrouter.types import JsonObject
from toolrouter.wire.jsonrpc import Peer
from toolrouter.wire.lines import LineFault, read_messages
from toolrouter.wire.outbox import Outbox
from toolrouter.wire.waiter import ASKING_S

logger = logging.getLogger(__name__)

PARSE_ERROR = -32700
_READ_BYTES = 2**18
_WRITE_BYTES = 4_096
"""What a pipe that polls as writable always takes at once (PIPE_BUF on Linux), so that no write blocks the loop."""
_LAST_ANSWERS_S = 1.0
"""How long answers under way may still take after the host has closed stdin."""

Receive = Callable[[], Awaitable[bytes]]
Send = Callable[[bytes], Awaitable[None]]


async def serve_stdio(router: Router) -> None:
    """Serves until the host closes stdin, or until SIGTERM or SIGINT."""
    with _own_streams() as (stdin, stdout):
        async with anyio.create_task_group() as tasks:
            await tasks.start(on_stop_signal, tasks.cancel_scope.cancel)
            await serve_stream(router, lambda: _read(stdin), lambda data: _write(stdout, data))
            tasks.cancel_scope.cancel()


async def serve_stream(
    router: Router, receive: Receive, send: Send, *, exposure: Exposure | None = None, first_id: int = 0
) -> None:
    """Serves one host over any byte stream of lines, until `receive` returns nothing.

    `exposure` stands in place of the one in the settings; ids of our own requests come after `first_id`.
    """
    surface = Surface(router, exposure)
    try:
        await _serve(router, surface, receive, send, first_id)
    finally:
        surface.close()


async def _serve(router: Router, surface: Surface, receive: Receive, send: Send, first_id: int) -> None:
    unanswered = _Unanswered()
    outbox = Outbox(send)

    async def send_message(message: JsonObject) -> None:
        await outbox.put(encoded(message))
        unanswered.sent(message)

    async def messages() -> AsyncIterator[JsonObject | LineFault]:
        async for message in read_messages(receive, router.settings.router.limits.max_message_bytes):
            if isinstance(message, LineFault):
                fault = {"code": PARSE_ERROR, "message": f"Parse error: {message.reason}"}
                with suppress(OSError):
                    await send_message({"jsonrpc": "2.0", "id": None, "error": fault})
            else:
                unanswered.received(message)
                yield message
        with anyio.move_on_after(_LAST_ANSWERS_S):
            await unanswered.wait_none()

    session = HostSession(router, surface, MetaTools(router), _PeerWire(lambda: peer))
    peer = Peer("host", messages(), send_message, on_request=session.handle, on_notification=session.on_notification)
    peer.count_from(first_id)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(announce_changes, surface, session)
        tasks.start_soon(outbox.run)
        try:
            await peer.run()
            with anyio.move_on_after(_LAST_ANSWERS_S):
                await outbox.flush()
        finally:
            await session.close()
        tasks.cancel_scope.cancel()


class _PeerWire:
    """Satisfies `session.Wire` on the one connection there is."""

    def __init__(self, peer: Callable[[], Peer]) -> None:
        self._peer = peer

    async def notify(self, method: str, params: JsonObject | None = None) -> None:
        await self._peer().notify(method, params)

    async def ask(self, method: str, params: JsonObject) -> JsonObject:
        return await self._peer().request(method, params, timeout_s=ASKING_S)


async def announce_changes(surface: Surface, session: HostSession) -> None:
    """Tells one session about each change of a list."""
    with surface.changes() as changes:
        async for names in changes:
            await session.announce_change(names)


class _Unanswered:
    """The requests that still wait for their answer, listening ones apart: those wait for ever."""

    def __init__(self) -> None:
        self._ids: set[str | int] = set()
        self._none = anyio.Event()
        self._none.set()

    def received(self, message: JsonObject) -> None:
        method, request_id = message.get("method"), message.get("id")
        if method == "notifications/cancelled" and isinstance(params := message.get("params"), dict):
            self._forget(params.get("requestId"))
        elif isinstance(request_id, str | int) and method is not None and method != "subscriptions/listen":
            self._ids.add(request_id)
            if self._none.is_set():
                self._none = anyio.Event()

    def sent(self, message: JsonObject) -> None:
        if "method" not in message:
            self._forget(message.get("id"))

    async def wait_none(self) -> None:
        await self._none.wait()

    def _forget(self, request_id: object) -> None:
        if isinstance(request_id, str | int):
            self._ids.discard(request_id)
        if not self._ids:
            self._none.set()


@contextmanager
def _own_streams() -> Iterator[tuple[int, int]]:
    """Takes stdin and stdout away from everybody else: what prints anyway lands on stderr, what reads finds nothing."""
    stdin, stdout = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    former = sys.stdout
    sys.stdout.flush()
    os.dup2(2, 1)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdout = sys.stderr
    try:
        yield stdin, stdout
    finally:
        sys.stdout = former
        os.dup2(stdout, 1)
        os.dup2(stdin, 0)
        os.close(stdout)
        os.close(stdin)


if sys.platform == "win32":

    async def _read(fd: int) -> bytes:
        return await anyio.to_thread.run_sync(os.read, fd, _READ_BYTES, abandon_on_cancel=True)

    async def _write(fd: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[await anyio.to_thread.run_sync(os.write, fd, rest) :]

else:
    import select

    async def _read(fd: int) -> bytes:
        with suppress(PermissionError):  # a regular file: always readable, which epoll says by refusing it
            await anyio.wait_readable(fd)
        return os.read(fd, _READ_BYTES)

    async def _write(fd: int, data: bytes) -> None:
        writable = select.poll()
        writable.register(fd, select.POLLOUT)
        rest = memoryview(data)
        while rest:
            if not writable.poll(0):
                await anyio.wait_writable(fd)
            rest = rest[os.write(fd, rest[:_WRITE_BYTES]) :]

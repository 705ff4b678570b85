"""The address on this machine to which a browser comes back after a login."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hmac import compare_digest
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
from anyio.abc import SocketAttribute, SocketStream

PATH = "/callback"
_MAX_REQUEST = 64 * 1024
_READ_S = 10.0
_PAGE = (
    "<!doctype html><meta charset=utf-8><title>toolrouter</title>"
    "<body style='font-family:system-ui;margin:4rem'><h1>{title}</h1><p>You can close this window.</p>"
)


class Loopback:
    """Waits for one redirect."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}{PATH}"
        self.answer: dict[str, str] = {}
        """The query of the redirect: code and state, or error."""
        self.state = ""
        """What the answer must repeat (RFC 6749, 10.12); empty takes none."""
        self._came = anyio.Event()

    async def wait(self, timeout_s: float) -> dict[str, str]:
        """Raises TimeoutError."""
        with anyio.fail_after(timeout_s):
            await self._came.wait()
        return self.answer

    async def serve(self, stream: SocketStream) -> None:
        """Answers one connection of the browser."""
        async with stream:
            with anyio.move_on_after(_READ_S):
                try:
                    status, title = self._take(await _request_line(stream))
                    page = _PAGE.format(title=title).encode()
                    head = f"HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {len(page)}\r\n"
                    await stream.send(f"{head}connection: close\r\n\r\n".encode() + page)
                except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                    return

    def _take(self, line: str) -> tuple[str, str]:
        method, _, rest = line.partition(" ")
        target = urlsplit(rest.split(" ")[0])
        query = {name: values[0] for name, values in parse_qs(target.query).items()}
        if method != "GET" or target.path != PATH or not {"code", "error"} & set(query):
            return "404 Not Found", "There is nothing here."
        if not self._is_ours(query):
            # Any page in the browser can send one: it must not end the login that a person is in the middle of.
            return "400 Bad Request", "This is no answer to the login that is under way."
        if not self._came.is_set():
            self.answer = query
            self._came.set()
        return "200 OK", "Not logged in." if "error" in query else "You said yes. The rest is in your terminal."

    def _is_ours(self, query: dict[str, str]) -> bool:
        return bool(self.state) and compare_digest(query.get("state", "").encode(), self.state.encode())


async def _request_line(stream: SocketStream) -> str:
    received = b""
    while b"\r\n\r\n" not in received and len(received) < _MAX_REQUEST:
        received += await stream.receive(_MAX_REQUEST)
    return received.split(b"\r\n", 1)[0].decode("latin-1")


@asynccontextmanager
async def open_loopback(ports: Sequence[int]) -> AsyncIterator[Loopback]:
    """Listens on this machine alone, on the first of `ports` that is free; 0 is any. Raises OSError when none is."""
    listener = await _listener(ports)
    async with listener, anyio.create_task_group() as tasks:
        loopback = Loopback(listener.extra(SocketAttribute.local_port))  # noqa: S610 - anyio's, not Django's
        tasks.start_soon(listener.serve, loopback.serve)
        try:
            yield loopback
        finally:
            tasks.cancel_scope.cancel()


async def _listener(ports: Sequence[int]) -> Any:
    for port in ports:
        try:
            return await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
        except OSError:
            if port == ports[-1]:
                raise
    raise ValueError("no port to listen on")

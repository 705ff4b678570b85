"""Streamable HTTP as servers really answer it: JSON, streams that break and go on, and what is no answer at all."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from tests.upstream.stubs import BESIDE_SDK_SERVERS, limits, text
from toolrouter.config import UpstreamSpec
from toolrouter.errors import UpstreamError
from toolrouter.types import JsonObject
from toolrouter.upstream.connect import connect
from toolrouter.upstream.connection import Connection
from toolrouter.upstream.mirrored import header_map, header_value, mirrored

pytestmark = BESIDE_SDK_SERVERS

http_servers = pytest.importorskip("tests.upstreams_stub.http_servers")

Answer = Callable[[Any, JsonObject], Awaitable[tuple[int, str, bytes]]]
"""For a request (its scope and its message; none for a GET): status, content type and body."""
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}}
CALL = {"name": "echo", "arguments": {}}


def said(words: str, request_id: object = 1) -> str:
    result = {"content": [{"type": "text", "text": words}]}
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "result": result})


@asynccontextmanager
async def connected(answer: Answer) -> AsyncIterator[Connection]:
    """A connection to a server that shakes hands as usual and answers everything else by `answer`."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = (await receive())["body"] if scope["method"] == "POST" else b""
        message = json.loads(body) if body else {}
        if message.get("method") == "initialize":
            opened = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": HELLO}).encode()
            status, kind, content = 200, "application/json", opened
        elif "id" not in message and body:
            status, kind, content = 202, "text/plain", b""
        else:
            status, kind, content = await answer(scope, message)
        headers = [(b"content-type", kind.encode())]
        if status == 307:
            headers.append((b"location", content))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    with anyio.fail_after(120):
        async with (
            http_servers.serving(app) as url,
            connect("r", UpstreamSpec(url=f"{url}/mcp", type="http"), limits(), era_hint="2025-11-25") as connection,
        ):
            yield connection


async def test_calls_one_after_the_other_share_a_connection() -> None:
    ports: list[int] = []

    def watching(app: Any) -> Any:
        async def watched(scope: Any, receive: Any, send: Any) -> None:
            if scope.get("method") == "POST":
                ports.append(scope["client"][1])
            await app(scope, receive, send)

        return watched

    with anyio.fail_after(120):
        async with (
            http_servers.serving(http_servers.streamable_app(wrap=watching)) as url,
            connect("r", UpstreamSpec(url=f"{url}/mcp"), limits(), era_hint="2025-11-25") as connection,
        ):
            for _ in range(5):
                assert text(await connection.request("tools/call", CALL, timeout_s=60)) == "echo {}"
    assert len(ports) == 7
    assert len(set(ports[2:])) == 1


async def test_a_stream_that_breaks_is_taken_up_after_its_last_event() -> None:
    seen: list[str] = []

    async def answer(scope: Any, message: JsonObject) -> tuple[int, str, bytes]:
        if scope["method"] == "POST":
            return 200, "text/event-stream", b"id: e1\nretry: 10\ndata: \n\n"
        headers = dict(scope["headers"])
        seen.append(headers[b"last-event-id"].decode())
        if len(seen) == 1:
            return 200, "text/event-stream", b"id: e2\ndata: \n\n"
        return 200, "text/event-stream", f"id: e3\ndata: {said('late', 'other')}\n\n".encode()

    async with connected(answer) as connection:
        assert text(await connection.request("tools/call", CALL, timeout_s=60)) == "late"
    assert seen == ["e1", "e2"]


@pytest.mark.parametrize(
    ("status", "kind", "body", "words"),
    [
        (202, "text/plain", "", "HTTP 202 without an answer"),
        (200, "text/html", "<html>", "it is text/html"),
        (200, "application/json", "{oops", "the answer cannot be read"),
        (200, "text/event-stream", "data: {oops\n\n", "the answer cannot be read"),
        (200, "text/event-stream", ": nothing\n\n", "the stream ended before the answer"),
        (200, "text/event-stream", "data: " + "x" * 3_000_000 + "\n\n", "exceeded"),
        (503, "text/plain", "busy", "HTTP 503 Service Unavailable: busy"),
        (307, "text/plain", "https://elsewhere.example/mcp?key=1", "it sends us to https://elsewhere.example/mcp;"),
    ],
)
async def test_what_is_no_answer_costs_that_call_alone_and_is_told_in_words(
    status: int, kind: str, body: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(scope: Any, message: JsonObject) -> tuple[int, str, bytes]:
        if message.get("method") == "tools/call":
            return status, kind, body.encode()
        return 200, "application/json", said("fine").encode()

    async with connected(answer) as connection:
        connection.carrier._max_bytes = 1_000_000  # type: ignore[attr-defined]
        with pytest.raises(UpstreamError, match=words):
            await connection.request("tools/call", CALL, timeout_s=60)
        assert text(await connection.request("resources/read", {"uri": "a:b"}, timeout_s=60)) == "fine"


async def test_a_redirect_within_the_server_is_followed_with_the_message() -> None:
    async def answer(scope: Any, message: JsonObject) -> tuple[int, str, bytes]:
        if scope["path"] == "/mcp":
            return 307, "text/plain", b"/mcp/"
        return 200, "application/json", said(f"{scope['path']} {message['method']}").encode()

    async with connected(answer) as connection:
        assert text(await connection.request("tools/call", CALL, timeout_s=60)) == "/mcp/ tools/call"


@pytest.mark.parametrize(
    ("plain", "carried"),
    [
        ("eu-west", "eu-west"),
        ("", ""),
        (" a", "=?base64?IGE=?="),
        ("ü", "=?base64?w7w=?="),
        ("\ud800", "=?base64?Pw==?="),
        ("a\r\nx: y", "=?base64?YQ0KeDogeQ==?="),
        ("=?base64?YQ==?=", "=?base64?PT9iYXNlNjQ/WVE9PT89?="),
    ],
)
def test_what_a_header_cannot_carry_is_encoded(plain: str, carried: str) -> None:
    assert header_value(plain) == carried


def test_arguments_are_mirrored_by_the_paths_of_their_properties() -> None:
    inner = {"type": "object", "properties": {"on": {"type": "boolean", "x-mcp-header": "On"}}}
    properties = {"where": {"type": "string", "x-mcp-header": "Region"}, "inner": inner, "list": {"items": {}}}
    maps = {"t": header_map({"type": "object", "properties": properties})}
    params: JsonObject = {"name": "t", "arguments": {"where": "eu", "inner": {"on": True}}}
    found = mirrored("tools/call", params, maps)
    assert found == {"mcp-method": "tools/call", "mcp-name": "t", "mcp-param-Region": "eu", "mcp-param-On": "true"}
    assert mirrored("tools/call", {"name": "t", "arguments": {"inner": 3, "where": ["x"]}}, maps).keys() == {
        "mcp-method",
        "mcp-name",
    }

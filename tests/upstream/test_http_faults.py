"""Streamable HTTP from servers at their worst: none costs more than its own call, and none holds on to us."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import pytest

from tests.upstream.stubs import BESIDE_SDK_SERVERS, limits, text
from tests.upstream.test_http import CALL, HELLO, said
from toolrouter.config import UpstreamSpec
from toolrouter.errors import UpstreamError, UpstreamTimeout
from toolrouter.types import JsonObject
from toolrouter.upstream import http, sse
from toolrouter.upstream.connect import connect
from toolrouter.upstream.connection import Connection, NotDelivered

pytestmark = BESIDE_SDK_SERVERS

http_servers = pytest.importorskip("tests.upstreams_stub.http_servers")

Reply = Callable[..., Awaitable[None]]
"""Sends status, content type, body and, where given, more headers."""
Behaviour = Callable[[Any, JsonObject, Any, Reply], Awaitable[None]]
"""What becomes of a request: its scope, its message (empty but for a POST), its `receive`, and how to reply."""


@asynccontextmanager
async def connected(behave: Behaviour, *, session: bool = False, **changed: Any) -> AsyncIterator[Connection]:
    """A connection to a server that opens as usual, with a session or without, and then does as `behave` does."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return

        async def reply(status: int, kind: str, body: bytes, *extra: tuple[bytes, bytes], more: bool = False) -> None:
            headers = [(b"content-type", kind.encode()), *extra]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body, "more_body": more})

        body = (await receive())["body"] if scope["method"] == "POST" else b""
        message = json.loads(body) if body else {}
        if message.get("method") == "initialize":
            opened = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": HELLO}).encode()
            await reply(200, "application/json", opened, *([(b"mcp-session-id", b"s1")] if session else []))
        elif message.get("method") == "notifications/initialized" or scope["method"] == "DELETE":
            await reply(202, "text/plain", b"")
        else:
            await behave(scope, message, receive, reply)

    with anyio.fail_after(120):
        async with (
            http_servers.serving(app) as url,
            connect("r", UpstreamSpec(url=f"{url}/mcp", type="http"), limits(**changed), era_hint="2025-11-25") as c,
        ):
            yield c


async def gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def test_a_call_that_is_given_up_is_hung_up_on_though_the_server_does_not_listen() -> None:
    hung_up, listening = anyio.Event(), anyio.Event()

    async def behave(scope: Any, message: JsonObject, receive: Any, reply: Reply) -> None:
        if message.get("method") == "notifications/cancelled":
            await listening.wait()
            await reply(202, "text/plain", b"")
        else:
            await gone(receive)
            hung_up.set()

    async with connected(behave) as connection:
        with pytest.raises(UpstreamTimeout):
            await connection.request("tools/call", CALL, timeout_s=0.1)
        with anyio.fail_after(5):
            await hung_up.wait()
        listening.set()


async def test_what_a_compressed_answer_grows_to_is_bounded() -> None:
    bomb = gzip.compress(b'{"jsonrpc":"2.0","id":1,"result":{"x":"' + b" " * 20_000_000 + b'"}}')

    async def behave(scope: Any, message: JsonObject, receive: Any, reply: Reply) -> None:
        await reply(200, "application/json", bomb, (b"content-encoding", b"gzip"))

    async with connected(behave, max_message_bytes=1_000_000) as connection:
        with pytest.raises(UpstreamError, match="over the limit of 1,000,000 bytes"):
            await connection.request("tools/call", CALL, timeout_s=60)


async def test_what_follows_a_notification_is_not_read_for_long() -> None:
    bomb = gzip.compress(bytes(20_000_000)) * 4
    hung_up = anyio.Event()

    async def behave(scope: Any, message: JsonObject, receive: Any, reply: Reply) -> None:
        # More is promised than comes, so the connection stays open until the other side has enough.
        length = str(len(bomb) + 1).encode()
        with anyio.move_on_after(20):
            await reply(200, "text/plain", bomb, (b"content-encoding", b"gzip"), (b"content-length", length), more=True)
            await gone(receive)
            hung_up.set()

    async with connected(behave) as connection:
        with anyio.fail_after(5):
            await connection.notify("notifications/roots/list_changed")
            await hung_up.wait()


async def test_a_page_where_the_standing_stream_should_be_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_Place", partial(http._Place, retry_s=0.01))
    asked: list[str] = []
    asked_again = anyio.Event()

    async def behave(scope: Any, message: JsonObject, receive: Any, reply: Reply) -> None:
        asked.append(scope["method"])
        if len(asked) > http.MAX_FAILURES:
            asked_again.set()
        await reply(200, "text/html", b"<html>Here is an MCP server.</html>")

    async with connected(behave, session=True):
        with anyio.move_on_after(0.5):
            await asked_again.wait()
    assert asked == ["GET"]


async def test_a_stream_that_breaks_after_the_answer_is_not_taken_up() -> None:
    taken_up = anyio.Event()

    async def behave(scope: Any, message: JsonObject, receive: Any, reply: Reply) -> None:
        if scope["method"] == "GET":
            taken_up.set()
        body = f"id: 1\nretry: 10\ndata: {said('fine')}\n\n".encode()
        # Fewer bytes than were promised: the connection breaks off.
        await reply(200, "text/event-stream", body, (b"content-length", str(len(body) + 9).encode()))

    async with connected(behave) as connection:
        assert text(await connection.request("tools/call", CALL, timeout_s=60)) == "fine"
        with anyio.move_on_after(0.5):
            await taken_up.wait()
        assert not taken_up.is_set()


@pytest.mark.parametrize("refusal", ['{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"%s"}}', "%s"])
async def test_a_session_that_older_servers_no_longer_know_is_begun_anew(refusal: str) -> None:
    words = refusal % "Bad Request: No valid session ID provided"

    async def behave(scope: Any, message: JsonObject, receive: Any, reply: Reply) -> None:
        await reply(400, "application/json", words.encode())

    async with connected(behave, session=True) as connection:
        with pytest.raises(NotDelivered):
            await connection.request("tools/call", CALL, timeout_s=60)


@pytest.mark.parametrize(
    "stream",
    [
        "\ufeffdata: %s\n\n",
        ": hello\r\nid: ü\r\ndata: %s\r\n\r\n",
        "data: %s\r\r",
        "retry: " + "9" * 400 + "\ndata: %s\n\n",
        "data: [%s]\n\n",
    ],
)
async def test_unusual_streams_are_read(stream: str) -> None:
    async def behave(scope: Any, message: JsonObject, receive: Any, reply: Reply) -> None:
        # Declared as what an event stream never is.
        await reply(200, "text/event-stream; charset=iso-8859-1", (stream % said("größer")).encode())

    async with connected(behave) as connection:
        assert text(await connection.request("tools/call", CALL, timeout_s=60)) == "größer"


async def test_a_batch_of_notifications_and_the_answer_is_read() -> None:
    note = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":1}}'
    heard: list[JsonObject] = []

    async def on_progress(params: JsonObject) -> None:
        heard.append(params)

    async def behave(scope: Any, message: JsonObject, receive: Any, reply: Reply) -> None:
        progress = note % message["params"]["_meta"]["progressToken"]
        await reply(200, "application/json", f"[{progress},{said('fine')}]".encode())

    async with connected(behave) as connection:
        answer = await connection.request("tools/call", CALL, timeout_s=60, on_progress=on_progress)
    assert (text(answer), len(heard)) == ("fine", 1)


async def test_a_stream_is_taken_up_after_an_event_of_any_name() -> None:
    seen: list[str] = []

    async def behave(scope: Any, message: JsonObject, receive: Any, reply: Reply) -> None:
        if scope["method"] == "POST":
            await reply(200, "text/event-stream", "id: größe\nretry: 10\ndata:\n\n".encode())
        else:
            seen.append(dict(scope["headers"])[b"last-event-id"].decode())
            await reply(200, "text/event-stream", f"data: {said('late')}\n\n".encode())

    async with connected(behave) as connection:
        assert text(await connection.request("tools/call", CALL, timeout_s=60)) == "late"
    assert seen == ["größe"]


async def test_a_notification_over_sse_that_the_server_never_takes_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sse, "UNANSWERED_S", 0.05)
    down: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        message = json.loads((await receive())["body"]) if scope["method"] == "POST" else {}
        start = {"type": "http.response.start", "status": 202 if message else 200}
        if not message:
            await send({**start, "headers": [(b"content-type", b"text/event-stream")]})
            # The byte order mark belongs to the stream, not to its first event.
            endpoint = "\ufeffevent: endpoint\ndata: /post\n\n".encode()
            await send({"type": "http.response.body", "body": endpoint, "more_body": True})
            down.append(send)
            await gone(receive)
        elif "id" not in message:
            await gone(receive)
        else:
            answer = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": HELLO})
            await down[0]({"type": "http.response.body", "body": f"data: {answer}\n\n".encode(), "more_body": True})
            await send({**start, "headers": []})
            await send({"type": "http.response.body", "body": b"Accepted"})

    with anyio.fail_after(60):
        async with (
            http_servers.serving(app) as url,
            connect("r", UpstreamSpec(url=f"{url}/sse", type="sse"), limits()) as connection,
        ):
            assert connection.server.protocol_version == HELLO["protocolVersion"]

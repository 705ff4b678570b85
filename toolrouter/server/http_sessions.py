"""Hosts of the handshake era over Streamable HTTP, as an ASGI application.

A host is a session: the peer that also serves hosts on stdio, and the streams that carry what it sends. An answer that
is there at once goes out in one piece; what takes longer, or says something on its way, becomes a stream that can be
taken up again.
"""

from __future__ import annotations

import json
import logging
import math
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskGroup, TaskStatus

from toolrouter.server.http_streams import Stream, Streams, Write, event_of
from toolrouter.server.protocol import INVALID_REQUEST, LATEST_HANDSHAKE
from toolrouter.server.session import HostSession, Wire
from toolrouter.types import JsonObject
from toolrouter.wire.caller import Sourced
from toolrouter.wire.jsonrpc import Peer
from toolrouter.wire.lines import LineFault, encode_message, parse_message, parse_messages
from toolrouter.wire.waiter import ASKING_S

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

logger = logging.getLogger(__name__)

MAX_SESSIONS = 10_000
IDLE_S = 30 * 60
"""A session in which nothing is under way ends after this."""
SWEEP_S = 60.0
AT_ONCE_S = 0.5
"""How long an answer is waited for before its request gets a stream that can be taken up again."""
CLOSE_S = 5.0
PARSE_ERROR = -32700
REQUEST_CANCELLED = -32800
QUEUED_MESSAGES = 16
BATCHES = "2025-03-26"
"""The one revision whose hosts may send several messages in one request."""
_EVENTS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]
_JSON = [(b"content-type", b"application/json")]

MakeSession = Callable[[Wire], HostSession]


class _Refusal(Exception):
    """A request that HTTP itself answers."""

    def __init__(self, status: int, words: str, code: int = INVALID_REQUEST) -> None:
        super().__init__(words)
        self.status = status
        self.code = code


class HttpSessions:
    """Every handshake-era host there is."""

    def __init__(
        self, make_session: MakeSession, max_bytes: int, poll_after_s: Callable[[], float | None] = lambda: None
    ) -> None:
        """`poll_after_s`: after which time hosts that can are made to come back for an answer; None for never."""
        self._make_session = make_session
        self._max_bytes = max_bytes
        self._poll_after_s = poll_after_s
        self._sessions: dict[str, _Session] = {}
        self._tasks: TaskGroup | None = None

    @property
    def hosts(self) -> list[HostSession]:
        return [session.host for session in self._sessions.values()]

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Owns the sessions until cancelled."""
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                task_status.started()
                while True:
                    await anyio.sleep(SWEEP_S)
                    oldest = anyio.current_time() - IDLE_S
                    for session in [each for each in self._sessions.values() if each.idle_since < oldest]:
                        self._end(session)
        finally:
            self._tasks = None
            for session in list(self._sessions.values()):
                self._end(session)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one HTTP request."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            match scope["method"]:
                case "POST":
                    await self._post(headers, receive, send)
                case "GET":
                    await self._get(headers, receive, send)
                case "DELETE":
                    self._end(self._session_of(headers))
                    await _reply(send, 200, [])
                case _:
                    await _reply(send, 405, [(b"allow", b"GET, POST, DELETE")])
        except _Refusal as refusal:
            error = {"code": refusal.code, "message": str(refusal)}
            body = encode_message({"jsonrpc": "2.0", "id": None, "error": error})
            await _reply(send, refusal.status, _JSON, body)

    async def _post(self, headers: Mapping[str, str], receive: Receive, send: Send) -> None:
        if not headers.get("content-type", "").lower().startswith("application/json"):
            raise _Refusal(400, "Bad Request: Content-Type must be application/json")
        if not (_accepts(headers, "application/json") and _accepts(headers, "text/event-stream")):
            raise _Refusal(406, "Not Acceptable: accept both application/json and text/event-stream")
        body = await _body(headers, receive, self._max_bytes)
        if body.lstrip().startswith(b"["):
            await self._post_batch(body, headers, receive, send)
            return
        message = _message(parse_message(body))
        session = self._opened(message, headers) or self._session_of(headers)
        with session.in_use():
            if "method" in message and "id" in message:
                await self._answer(session, message, receive, send)
            else:
                await session.take(message)
                await _reply(send, 202, session.headers)

    async def _post_batch(self, body: bytes, headers: Mapping[str, str], receive: Receive, send: Send) -> None:
        """Several messages in one request: the answers come on one stream, request by request."""
        session = self._session_of(headers)
        if session.host.version != BATCHES:
            raise _Refusal(400, f"Bad Request: batches are of {BATCHES} alone; send one message at a time")
        messages = [_message(each) for each in parse_messages(body)]
        with session.in_use(), ExitStack() as awaited:
            streams = [session.streams.open(each["id"]) for each in messages if "method" in each and "id" in each]
            for stream in streams:
                awaited.enter_context(stream.awaited())
            for each in messages:
                await session.take(each)
            if not streams:
                await _reply(send, 202, session.headers)
                return
            async with _event_stream(session, receive, send) as write:
                for stream in streams:
                    await stream.write_events(write, after=None, resumable=False)
                    session.streams.drop(stream)

    async def _answer(self, session: _Session, message: JsonObject, receive: Receive, send: Send) -> None:
        stream = session.streams.open(message["id"])
        with stream.awaited():
            await self._answer_on(stream, session, message, receive, send)

    async def _answer_on(
        self, stream: Stream, session: _Session, message: JsonObject, receive: Receive, send: Send
    ) -> None:
        await session.take(message)
        with anyio.move_on_after(AT_ONCE_S):
            await stream.wait_first()
        if stream.ended and len(stream.events) == 1:
            body = stream.events[0]
            session.streams.drop(stream)
            # A stream of one event rather than JSON: the SDK's client breaks at JSON that comes when it is leaving.
            await _reply(send, 200, [*_EVENTS, *session.headers], event_of(body))
            if message["method"] == "initialize" and "error" in json.loads(body):
                self._end(session)
        else:
            await self._send_events(session, stream, None, receive, send)

    async def _get(self, headers: Mapping[str, str], receive: Receive, send: Send) -> None:
        if not _accepts(headers, "text/event-stream"):
            raise _Refusal(406, "Not Acceptable: accept text/event-stream")
        session = self._session_of(headers)
        stream, after = session.streams.standing, None
        if last_seen := headers.get("last-event-id"):
            if (found := session.streams.found(last_seen)) is None:
                raise _Refusal(400, "Bad Request: nothing is kept that came after this event")
            stream, after = found
        with session.in_use(), stream.awaited():
            await self._send_events(session, stream, after, receive, send)

    async def _send_events(
        self, session: _Session, stream: Stream, after: int | None, receive: Receive, send: Send
    ) -> None:
        """Until the stream ends, the host hangs up, or it is to come back later."""
        # Older hosts cannot read an event without data.
        resumable = session.host.version >= LATEST_HANDSHAKE and stream is not session.streams.standing
        limit_s = self._poll_after_s() if resumable and after is None else None
        async with _event_stream(session, receive, send) as write:
            with anyio.move_on_after(limit_s):
                await stream.write_events(write, after=after, resumable=resumable)

    def _opened(self, message: JsonObject, headers: Mapping[str, str]) -> _Session | None:
        if message.get("method") != "initialize" or "mcp-session-id" in headers:
            return None
        if self._tasks is None or len(self._sessions) >= MAX_SESSIONS:
            raise _Refusal(503, "Service Unavailable: too many sessions are open")
        session = _Session(self._make_session)
        self._sessions[session.id] = session
        self._tasks.start_soon(session.run, self._end)
        return session

    def _session_of(self, headers: Mapping[str, str]) -> _Session:
        session_id = headers.get("mcp-session-id")
        if session_id is None:
            raise _Refusal(400, "Bad Request: Mcp-Session-Id is missing; a session begins with initialize")
        if (session := self._sessions.get(session_id)) is None:
            raise _Refusal(404, "Not Found: this session has ended; begin another one with initialize")
        return session

    def _end(self, session: _Session) -> None:
        self._sessions.pop(session.id, None)
        session.end()


class _Session:
    """One host. Satisfies `session.Wire`: what no request caused goes on the standing stream."""

    def __init__(self, make_session: MakeSession) -> None:
        self.id = secrets.token_hex(16)
        self.headers = [(b"mcp-session-id", self.id.encode())]
        self.streams = Streams()
        self.host = make_session(self)
        self.idle_since = anyio.current_time()
        self._in_use = 0
        self._arrived, arrived = anyio.create_memory_object_stream[JsonObject | LineFault](QUEUED_MESSAGES)
        self._unread = arrived
        self._peer = Peer(
            "host", arrived, self._send, on_request=self.host.handle, on_notification=self.host.on_notification
        )

    async def run(self, leave: Callable[[_Session], None]) -> None:
        """Serves the host until the session ends. `leave`: has no more requests sent here."""
        with self._arrived, self._unread:
            try:
                await self._peer.run()
            except Exception:  # the supervisor of one host: its fault is not the others'
                logger.exception("a session over HTTP failed")
            finally:
                leave(self)
                with anyio.move_on_after(CLOSE_S, shield=True):
                    await self.host.close()

    def end(self) -> None:
        self.streams.end()
        self._peer.close("the session ended")

    async def take(self, message: JsonObject) -> None:
        """Hands a message of the host to its peer."""
        with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
            await self._arrived.send(message)
        if message.get("method") == "notifications/cancelled" and isinstance(params := message.get("params"), dict):
            error = {"code": REQUEST_CANCELLED, "message": "Request cancelled"}
            request_id = params.get("requestId")
            if isinstance(request_id, str | int):
                self.streams.cancel(request_id, {"jsonrpc": "2.0", "id": request_id, "error": error})

    async def notify(self, method: str, params: JsonObject | None = None) -> None:
        await self._peer.notify(method, params)

    async def ask(self, method: str, params: JsonObject) -> JsonObject:
        return await self._peer.request(method, params, timeout_s=ASKING_S)

    async def _send(self, message: JsonObject) -> None:
        if "method" in message:
            self.streams.put(message, message.request_id if isinstance(message, Sourced) else None)
        elif self.streams.is_open(message["id"]):
            self.streams.put(message, message["id"])

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keeps the session from ending for want of use."""
        self._in_use += 1
        self.idle_since = math.inf
        try:
            yield
        finally:
            self._in_use -= 1
            if not self._in_use:
                self.idle_since = anyio.current_time()


def _message(message: JsonObject | LineFault) -> JsonObject:
    if isinstance(message, LineFault):
        raise _Refusal(400, f"Parse error: {message.reason}", PARSE_ERROR)
    request_id = message.get("id", "")
    if isinstance(request_id, bool) or not isinstance(request_id, str | int):
        raise _Refusal(400, "Invalid request: an id is a string or an integer")
    return message


async def _body(headers: Mapping[str, str], receive: Receive, max_bytes: int) -> bytes:
    parts, size, more = [], 0, True
    if headers.get("content-length", "").isdecimal():
        size = int(headers["content-length"])
    while more and size <= max_bytes:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise _Refusal(400, "Bad Request: the body ended early")
        parts.append(event.get("body", b""))
        more = event.get("more_body", False)
        size = sum(map(len, parts))
    if size > max_bytes:
        raise _Refusal(413, f"Payload Too Large: over {max_bytes:,} bytes")
    return b"".join(parts)


def _accepts(headers: Mapping[str, str], kind: str) -> bool:
    given = {part.partition(";")[0].strip().lower() for part in headers.get("accept", "").split(",")}
    return bool(given & {kind, kind.partition("/")[0] + "/*", "*/*"})


@asynccontextmanager
async def _event_stream(session: _Session, receive: Receive, send: Send) -> AsyncIterator[Write]:
    """The answer to one HTTP request as events, and what writes them; its body ends early when the host hangs up."""

    async def write(data: bytes) -> None:
        await send({"type": "http.response.body", "body": data, "more_body": True})

    await send({"type": "http.response.start", "status": 200, "headers": [*_EVENTS, *session.headers]})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_until_gone, receive, tasks.cancel_scope)
        yield write
        tasks.cancel_scope.cancel()
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


async def _reply(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes = b"") -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})

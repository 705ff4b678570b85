"""Messages over Streamable HTTP: a POST for each one up, answered by JSON or by a stream of events.

Not the SDK's transport: its typed messages and its connection for each call cost several milliseconds a call, and
importing it seconds.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx2
from anyio.abc import TaskGroup

from toolrouter.config import Limits, UpstreamSpec
from toolrouter.types import JsonObject
from toolrouter.upstream.http_client import UNANSWERED_S, HttpClient, events_of, failure, head_of, read_body
from toolrouter.upstream.mirrored import HeaderMap, header_map, mirrored
from toolrouter.upstream.oauth import auth_for
from toolrouter.wire.caller import Sourced
from toolrouter.wire.lines import LineFault, encode_body, parse_messages

logger = logging.getLogger(__name__)

VERSION_META_KEY = "io.modelcontextprotocol/protocolVersion"
RETRY_S = 1.0
"""After which time a broken stream is taken up again, where the server says nothing."""
SHORTEST_RETRY_S, LONGEST_RETRY_S = 0.05, 3600
MAX_FAILURES = 3
"""So many attempts in a row to take up a stream may fail."""
MAX_REDIRECTS = 5
END_OF_STREAM_S = 0.5
"""How long a stream may stay open after the answer; one that ends by then leaves its connection for the next call."""
GOODBYE_S = 5.0
QUEUED_MESSAGES = 16
_JSON, _EVENTS = "application/json", "text/event-stream"

RequestId = str | int


@dataclass(slots=True)
class _Exchange:
    """A request of ours under way."""

    id: RequestId
    scope: anyio.CancelScope
    modern: bool


@dataclass(slots=True)
class _Place:
    """How far a stream was read."""

    event_id: str = ""
    retry_s: float = RETRY_S

    def pass_by(self, event: httpx2.ServerSentEvent) -> None:
        self.event_id = event.id or self.event_id
        if event.retry is not None:
            self.retry_s = max(min(event.retry, LONGEST_RETRY_S * 1000) / 1000, SHORTEST_RETRY_S)


class _Unusable(Exception):
    """What came is no answer, and asking again would bring no other."""

    def __init__(self, words: str, status: int = 200) -> None:
        super().__init__(words)
        self.status = status


class HttpCarrier:
    """One session with a server, or none where it keeps none."""

    pid: int | None = None

    def __init__(self, client: HttpClient, url: str, max_bytes: int, tasks: TaskGroup) -> None:
        self.protocol_version = ""
        self.header_maps: dict[str, HeaderMap] = {}
        self._client = client
        self._url = httpx2.URL(url)
        self._max_bytes = max_bytes
        self._tasks = tasks
        self._session_id = ""
        self._under_way: dict[RequestId, _Exchange] = {}
        self._arrived, received = anyio.create_memory_object_stream[JsonObject | LineFault](QUEUED_MESSAGES)
        self.messages: AsyncIterator[JsonObject | LineFault] = received
        self._received = received

    async def send(self, message: JsonObject) -> None:
        """Starts what is answered, and delivers the rest; nobody hears of what of that is refused."""
        method, request_id = message.get("method"), message.get("id")
        if method is not None and isinstance(request_id, str | int):
            exchange = _Exchange(request_id, anyio.CancelScope(), _version_of(message) is not None)
            self._under_way[request_id] = exchange
            self._tasks.start_soon(self._run, exchange, method, self._headers(message), encode_body(message))
        elif method == "notifications/cancelled":
            await self._cancel(message)
        else:
            await self._deliver(message)
            if method == "notifications/initialized" and self._session_id:
                self._tasks.start_soon(self._listen)

    def post_mortem(self) -> str:
        return ""

    def note(self, text: str) -> None:
        return

    def learn_headers(self, tools: list[JsonObject]) -> None:
        found = {str(tool.get("name")): header_map(tool.get("inputSchema")) for tool in tools}
        self.header_maps = {name: wanted for name, wanted in found.items() if wanted}

    async def close(self) -> None:
        """Ends the session at the server, if there is one. What was under way is given up before."""
        self._arrived.close()
        self._received.close()
        with anyio.move_on_after(GOODBYE_S, shield=True):
            if self._session_id:
                try:
                    async with self._response("DELETE", self._standing_headers()):
                        pass
                except (httpx2.HTTPError, httpx2.StreamError) as error:
                    logger.debug("the session at %s could not be ended: %s", self._url.host, error)

    async def _cancel(self, message: JsonObject) -> None:
        """In 2026-07-28 hanging up is how a request is cancelled; before, it is said, and then hung up."""
        exchange = self._under_way.get((message.get("params") or {}).get("requestId", ""))
        if exchange is None:
            return
        try:
            if not exchange.modern:
                await self._deliver(message)
        finally:
            exchange.scope.cancel()  # also when who cancels does not wait until the server has taken the word

    async def _deliver(self, message: JsonObject) -> None:
        with anyio.move_on_after(UNANSWERED_S):
            try:
                async with self._response("POST", self._headers(message), encode_body(message)) as response:
                    if response.status_code >= 300:
                        what = message.get("method", "an answer")
                        logger.debug("%s did not take %s: HTTP %s", self._url.host, what, response.status_code)
                    await head_of(response)
            except (httpx2.HTTPError, httpx2.StreamError) as error:
                logger.debug("%s: %s", self._url.host, error)

    async def _run(self, exchange: _Exchange, method: str, headers: dict[str, str], content: bytes) -> None:
        try:
            with exchange.scope:
                await self._exchange(exchange, method, headers, content)
        except _Unusable as error:
            await self._fail(exchange, "refused", str(error), error.status)
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            await self._fail(exchange, "unreachable", str(error) or type(error).__name__, 502)
        finally:
            if self._under_way.get(exchange.id) is exchange:
                del self._under_way[exchange.id]

    async def _exchange(self, exchange: _Exchange, method: str, headers: dict[str, str], content: bytes) -> None:
        place = _Place()
        async with self._response("POST", headers, content) as response:
            if method == "initialize" and response.status_code == 200:
                self._session_id = response.headers.get("mcp-session-id", "")
            match _kind(response):
                case "application/json":
                    if not await self._hand_on(exchange, await read_body(response, self._max_bytes)):
                        raise _Unusable("what came is no answer")
                    return
                case "text/event-stream":
                    if await self._read_answer(response, exchange, place):
                        return
                case _:
                    raise _Unusable(_no_answer(response), response.status_code)
        await self._take_up(exchange, place)

    async def _take_up(self, exchange: _Exchange, place: _Place) -> None:
        """Goes on with a stream that ended before the answer, where the server gave its events names."""
        failures = 0
        while place.event_id and failures < MAX_FAILURES:
            await anyio.sleep(place.retry_s)
            try:
                async with self._stream(place) as response:
                    failures = 0 if response.status_code == 200 else failures + 1
                    if response.status_code == 200 and await self._read_answer(response, exchange, place):
                        return
            except httpx2.TransportError:
                failures += 1
        raise _Unusable("the stream ended before the answer", 502)

    async def _listen(self) -> None:
        """What the server says of its own accord, for as long as it can be heard."""
        place, failures = _Place(), 0
        while failures < MAX_FAILURES:
            try:
                async with self._stream(place) as response:
                    if response.status_code < 500 and (response.status_code, _kind(response)) != (200, _EVENTS):
                        return  # it offers no such stream
                    failures = 0 if response.status_code == 200 else failures + 1
                    if response.status_code == 200:
                        async for event in self._events(response):
                            place.pass_by(event)
                            if event.event == "message" and event.data:
                                for message in parse_messages(event.data.encode()):
                                    await self._arrived.send(message)
            except (_Unusable, httpx2.HTTPError, httpx2.StreamError) as error:
                logger.debug("%s: its stream broke: %s", self._url.host, error)
                failures += 1
            await anyio.sleep(place.retry_s)

    async def _read_answer(self, response: httpx2.Response, exchange: _Exchange, place: _Place) -> bool:
        """Hands on what belongs to a request. False when the stream ends, or breaks, before the answer."""
        events = self._events(response)
        try:
            async for event in events:
                place.pass_by(event)
                if event.event == "message" and event.data and await self._hand_on(exchange, event.data.encode()):
                    with anyio.move_on_after(END_OF_STREAM_S), suppress(httpx2.HTTPError, httpx2.StreamError):
                        async for _ in events:
                            pass
                    return True
        except httpx2.SSEError as error:
            raise _Unusable(str(error)) from error
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            logger.debug("%s: a stream broke: %s", self._url.host, error)
        return False

    async def _hand_on(self, exchange: _Exchange, data: bytes) -> bool:
        """Whether the answer was there."""
        answered = False
        for message in parse_messages(data):
            if isinstance(message, LineFault):
                raise _Unusable(f"the answer cannot be read: {message}")
            if "method" in message:
                await self._arrived.send(Sourced(message, exchange.id))
            else:
                # A server that refuses a request before it has read its id leaves the id out.
                await self._arrived.send({**message, "id": exchange.id})
                answered = True
        return answered

    async def _fail(self, exchange: _Exchange, kind: str, words: str, status: int) -> None:
        await self._arrived.send({"jsonrpc": "2.0", "id": exchange.id, "error": failure(kind, words, status)})

    def _events(self, response: httpx2.Response) -> AsyncIterator[httpx2.ServerSentEvent]:
        return events_of(response, self._max_bytes)

    @asynccontextmanager
    async def _stream(self, place: _Place) -> AsyncIterator[httpx2.Response]:
        headers = {**self._standing_headers(), "accept": _EVENTS, "cache-control": "no-store"}
        if place.event_id:
            headers["last-event-id"] = place.event_id
        async with self._response("GET", headers) as response:
            yield response

    @asynccontextmanager
    async def _response(
        self, method: str, headers: dict[str, str], content: bytes | None = None
    ) -> AsyncIterator[httpx2.Response]:
        """The response, unread. A redirect is followed only to where the request was meant to go anyway."""
        # Names of events and sessions are the server's, in whatever characters.
        encoded = httpx2.Headers(headers, encoding="utf-8")
        request = self._client.build_request(method, self._url, headers=encoded, content=content)
        for _ in range(MAX_REDIRECTS):
            response = await self._client.send(request, stream=True, follow_redirects=False)
            following = response.next_request
            if following is None or not _stays(request, following):
                break
            await response.aclose()
            request = following
        try:
            yield response
        finally:
            await response.aclose()

    def _standing_headers(self) -> dict[str, str]:
        headers = {"mcp-session-id": self._session_id} if self._session_id else {}
        if self.protocol_version:
            headers["mcp-protocol-version"] = self.protocol_version
        return headers

    def _headers(self, message: JsonObject) -> dict[str, str]:
        headers = {**self._standing_headers(), "accept": f"{_JSON}, {_EVENTS}", "content-type": _JSON}
        if (version := _version_of(message)) is not None:
            headers["mcp-protocol-version"] = version
            headers |= mirrored(str(message.get("method")), message["params"], self.header_maps)
        return headers


@asynccontextmanager
async def open_http(
    alias: str, spec: UpstreamSpec, limits: Limits, home: Path | None = None
) -> AsyncIterator[HttpCarrier]:
    """Opens a remote server's transport; nothing is sent yet. `home`: where logins are kept."""
    limit = limits.max_message_bytes
    async with (
        HttpClient(spec.headers, auth_for(alias, spec, home)) as client,
        anyio.create_task_group() as tasks,
    ):
        carrier = HttpCarrier(client, spec.url or "", limit, tasks)
        try:
            yield carrier
        finally:
            tasks.cancel_scope.cancel()
            await carrier.close()


def _version_of(message: JsonObject) -> str | None:
    """The version that a request of the new era names itself."""
    meta = (message.get("params") or {}).get("_meta") or {}
    version = meta.get(VERSION_META_KEY)
    return version if isinstance(version, str) else None


def _kind(response: httpx2.Response) -> str:
    if response.status_code in {202, 204} or 300 <= response.status_code < 400:
        return ""
    return response.headers.get("content-type", "").partition(";")[0].strip().lower()


def _no_answer(response: httpx2.Response) -> str:
    if response.next_request is not None:
        where = response.next_request.url.copy_with(userinfo=b"", query=None, fragment=None)
        return f"it sends us to {where}; use that address in the config if it is the right one"
    kind = response.headers.get("content-type", "")
    return f"HTTP {response.status_code} without an answer" + (f" (it is {kind})" if kind else "")


def _stays(sent: httpx2.Request, following: httpx2.Request) -> bool:
    """Whether a redirect keeps method, origin (or its https form) and credentials: all of these were configured."""
    here, there = sent.url, following.url
    upgraded = (here.scheme, here.port, there.scheme, there.port) == ("http", None, "https", None)
    same = here.host == there.host and (upgraded or (here.scheme, here.port) == (there.scheme, there.port))
    return same and sent.method == following.method and there.userinfo in (b"", here.userinfo)

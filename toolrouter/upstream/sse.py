"""Messages over legacy SSE: one stream down, one POST per message up.

Not the SDK's transport: that one fails at messages over 1 MiB, goes silent after a failed POST and costs seconds to
import.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx2

from toolrouter.config import Limits, UpstreamSpec
from toolrouter.errors import LoginNeeded, UpstreamError
from toolrouter.types import JsonObject
from toolrouter.upstream.http_client import UNANSWERED_S, HttpClient, describe, events_of, head_of
from toolrouter.upstream.oauth import auth_for
from toolrouter.wire.lines import LineFault, encode_body, parse_message

EVENT_STREAM = {"accept": "text/event-stream", "cache-control": "no-store"}


class SseCarrier:
    """An open event stream and the address for messages in the other direction."""

    pid: int | None = None

    def __init__(
        self, alias: str, client: HttpClient, events: AsyncIterator[httpx2.ServerSentEvent], endpoint: httpx2.URL
    ) -> None:
        self.protocol_version = ""
        self._alias = alias
        self._client = client
        self._events = events
        self._endpoint = endpoint
        self.messages: AsyncIterator[JsonObject | LineFault] = self._iterate()

    async def send(self, message: JsonObject) -> None:
        """Raises UpstreamError when the server does not take the message."""
        headers = {"content-type": "application/json"}
        if self.protocol_version:
            headers["mcp-protocol-version"] = self.protocol_version
        content = encode_body(message)
        # A request has a time limit of its own.
        with anyio.move_on_after(None if {"id", "method"} <= message.keys() else UNANSWERED_S):
            async with self._client.stream("POST", self._endpoint, content=content, headers=headers) as response:
                if response.status_code >= 300:
                    raise UpstreamError(self._alias, f"{self._alias}: {describe(response)}")
                await head_of(response)

    def post_mortem(self) -> str:
        return ""

    def note(self, text: str) -> None:
        return

    def learn_headers(self, tools: list[JsonObject]) -> None:
        return  # a matter of the new era, which SSE does not know

    async def _iterate(self) -> AsyncIterator[JsonObject | LineFault]:
        async for event in self._events:
            if event.event == "message" and event.data:
                yield parse_message(event.data.encode())


@asynccontextmanager
async def open_sse(
    alias: str, spec: UpstreamSpec, limits: Limits, home: Path | None = None
) -> AsyncIterator[SseCarrier]:
    """Opens the stream and waits for the server's address for messages. Raises UpstreamError.

    `home`: where logins are kept.
    """
    url = httpx2.URL(spec.url or "")
    async with (
        HttpClient(spec.headers, auth_for(alias, spec, home)) as client,
        client.stream("GET", url, headers=EVENT_STREAM) as response,
    ):
        if words := client.login_words(response):
            raise LoginNeeded(alias, f"{alias}: {words}")
        if response.status_code != 200:
            raise UpstreamError(alias, f"{alias}: HTTP {response.status_code} {response.reason_phrase}")
        events = events_of(response, limits.max_message_bytes)
        yield SseCarrier(alias, client, events, await _endpoint(alias, url, events))


async def _endpoint(alias: str, url: httpx2.URL, events: AsyncIterator[httpx2.ServerSentEvent]) -> httpx2.URL:
    async for event in events:
        if event.event != "endpoint":
            continue
        endpoint = url.join(event.data)
        if (endpoint.scheme, endpoint.host, endpoint.port) != (url.scheme, url.host, url.port):
            # Our headers, secrets among them, are meant for the configured server alone.
            raise UpstreamError(alias, f"{alias}: it sends messages to another origin: {endpoint.host}")
        return endpoint
    raise UpstreamError(alias, f"{alias}: the event stream ended before it named an address for messages")

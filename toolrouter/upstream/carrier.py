"""What carries messages to and from one upstream, whatever the transport."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from toolrouter.types import JsonObject
from toolrouter.wire.lines import LineFault

FAILURE_KEY = "toolrouter/http"
NO_CONNECTION = "unreachable"
"""The kind of failure where no server was met at all."""
LOGIN = "login"
"""The kind of failure that a person mends by logging in."""


def failure_of(data: object) -> str:
    """The kind (unreachable, expired, refused, login) of an error that HTTP made rather than the server, or ""."""
    found = data.get(FAILURE_KEY) if isinstance(data, dict) else None
    return found if isinstance(found, str) else ""


class Carrier(Protocol):
    """An open transport. Belongs to the task that opened it."""

    messages: AsyncIterator[JsonObject | LineFault]
    protocol_version: str
    """Set once it is negotiated; HTTP repeats it with each request."""

    @property
    def pid(self) -> int | None: ...

    async def send(self, message: JsonObject) -> None:
        """Raises OSError or anyio's Closed/BrokenResourceError when the other side is gone."""
        ...

    def post_mortem(self) -> str:
        """What is known about its end: exit code, last words. Empty when there is nothing to say."""
        ...

    def note(self, text: str) -> None:
        """Keeps something that the server said beside the protocol, for `post_mortem`."""
        ...

    def learn_headers(self, tools: list[JsonObject]) -> None:
        """Remembers which arguments each tool wants mirrored as HTTP headers (2026-07-28, `x-mcp-header`)."""
        ...

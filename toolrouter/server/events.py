"""Keeps what was sent on the streams of HTTP hosts for a while, so that a broken stream can be taken up again."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcp.server.streamable_http import EventStore
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

MAX_EVENTS = 500
"""Kept for one session."""
RETRY_MS = 1_000
"""After which time hosts should come back for the rest of a broken stream."""


def give_each_session_its_events(manager: StreamableHTTPSessionManager) -> None:
    """Lets each session that the manager makes keep events of its own.

    The SDK shares one store, and names streams by request ids, which are the same in every session: with one store, a
    host could take up the stream of another.
    """
    made = type("Manager", (type(manager),), {"event_store": property(lambda _self: event_store())})
    manager.__class__ = made


def event_store() -> EventStore:
    """The events of one session in memory; the oldest are forgotten first."""
    from mcp.server.streamable_http import EventMessage, EventStore

    class Recent(EventStore):
        def __init__(self) -> None:
            self._last = 0
            self._events: OrderedDict[str, tuple[str, Any]] = OrderedDict()

        async def store_event(self, stream_id: str, message: Any) -> str:
            self._last += 1
            event_id = str(self._last)
            self._events[event_id] = (stream_id, message)
            if len(self._events) > MAX_EVENTS:
                self._events.popitem(last=False)
            return event_id

        async def replay_events_after(self, last_event_id: str, send_callback: Any) -> str | None:
            known = self._events.get(last_event_id)
            if known is None:
                return None
            stream = known[0]
            later = [
                (event_id, message)
                for event_id, (owner, message) in list(self._events.items())
                if owner == stream and int(event_id) > int(last_event_id) and message is not None
            ]
            for event_id, message in later:
                await send_callback(EventMessage(message, event_id))
            return stream

    return Recent()

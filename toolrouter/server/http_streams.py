"""What a server sends on one event stream of a host, kept for a while so that a broken stream can be taken up again."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import anyio

from toolrouter.server.results import encoded
from toolrouter.types import JsonObject

MAX_EVENTS = 500
MAX_BYTES = 16 * 2**20
"""Kept for one session; beyond either, the oldest is forgotten."""
RETRY_MS = 1_000
"""After which time hosts should come back for the rest of a broken stream."""
PING_S = 15.0
"""Proxies close streams that are silent for long."""

Write = Callable[[bytes], Awaitable[None]]


class Stream:
    """Messages in order. Whoever reads it last gets what comes; one who read before is let go."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.events: deque[bytes] = deque()
        self.first = 1
        """The number of the oldest event that is kept; events are numbered from one."""
        self.ended = False
        """No more will come."""
        self._awaited = 0
        self._written = 0
        self._reader = 0
        self._news = anyio.Event()

    @property
    def last(self) -> int:
        return self.first + len(self.events) - 1

    @property
    def unread(self) -> bool:
        """Whether the oldest event that is kept was never written."""
        return self._written < self.first

    @property
    def indispensable(self) -> bool:
        """Whether all that is kept is an answer on its way to who waits for it; there is one for each open request."""
        return self._awaited > 0 and self.ended and self.unread and len(self.events) == 1

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """While a host is there for what comes."""
        self._awaited += 1
        try:
            yield
        finally:
            self._awaited -= 1

    def put(self, message: JsonObject) -> int:
        """Takes a message; the answer to the request that the stream belongs to is the last one. Returns its size."""
        data = encoded(message)
        self.events.append(data)
        self._tell()
        return len(data)

    def end(self) -> None:
        self.ended = True
        self._tell()

    def forget_oldest(self) -> int:
        """Returns the size of what is gone."""
        self.first += 1
        return len(self.events.popleft())

    async def wait_first(self) -> None:
        """Until there is something to send, or nothing will come."""
        while not self.events and not self.ended:
            await self._news.wait()

    async def write_events(self, write: Write, *, after: int | None, resumable: bool) -> None:
        """Writes what comes after that event, else what nobody has read; until the stream ends or another reads it."""
        self._reader += 1
        reader, at = self._reader, self._written if after is None else after
        self._tell()
        if resumable:
            await write(f"id: {self.key}-{at}\r\nretry: {RETRY_MS}\r\ndata: \r\n\r\n".encode())
        while reader == self._reader:
            at = max(at, self.first - 1)
            if at < self.last:
                data = self.events[at + 1 - self.first]
                at += 1
                await write(event_of(data, f"id: {self.key}-{at}\r\n"))
                self._written = max(self._written, at)
            elif self.ended:
                return
            else:
                await self._wait_or_ping(write)

    async def _wait_or_ping(self, write: Write) -> None:
        with anyio.move_on_after(PING_S) as patience:
            await self._news.wait()
        if patience.cancelled_caught:
            await write(b": ping\r\n\r\n")

    def _tell(self) -> None:
        news, self._news = self._news, anyio.Event()
        news.set()


def event_of(data: bytes, more: str = "") -> bytes:
    """One line of JSON as an event."""
    return b"event: message\r\n%sdata: %s\r\n\r\n" % (more.encode(), data.rstrip())


class Streams:
    """The streams of one session: one for each request, and the standing one."""

    def __init__(self) -> None:
        self.standing = Stream("0")
        self._of_requests: dict[str | int, Stream] = {}
        self._kept: OrderedDict[str, Stream] = OrderedDict({"0": self.standing})
        self._made = 0
        self._events = 0
        self._bytes = 0

    def open(self, request_id: str | int) -> Stream:
        """The stream of a new request of the host."""
        if (former := self._of_requests.pop(request_id, None)) is not None:
            former.end()
        self._made += 1
        stream = self._of_requests[request_id] = self._kept[str(self._made)] = Stream(str(self._made))
        return stream

    def is_open(self, request_id: str | int) -> bool:
        """Whether that request has no answer yet."""
        return request_id in self._of_requests

    def cancel(self, request_id: str | int, message: JsonObject) -> None:
        """Ends the stream of a request that is not answered yet: in this era with an answer all the same."""
        if self.is_open(request_id):
            self.put(message, request_id)

    def put(self, message: JsonObject, request_id: str | int | None) -> None:
        """Sends a message on the stream of a request of the host, or on the standing one where there is none."""
        stream = self._of_requests.get(request_id) if request_id is not None else None
        stream = stream or self.standing
        self._bytes += stream.put(message)
        self._events += 1
        if "method" not in message and request_id is not None:
            self._of_requests.pop(request_id, None)
            stream.end()
        while self._events > MAX_EVENTS or self._bytes > MAX_BYTES:
            if (least := self._least_needed(stream)) is None:
                return
            self._forget(least, 1)

    def drop(self, stream: Stream) -> None:
        """Forgets one that nobody can come back to."""
        if self._kept.pop(stream.key, None) is not None:
            self._forget(stream, len(stream.events))

    def found(self, event_id: str) -> tuple[Stream, int] | None:
        """The stream of an event, and its number there."""
        key, _, number = event_id.partition("-")
        stream = self._kept.get(key)
        return (stream, int(number)) if stream is not None and number.isascii() and number.isdigit() else None

    def end(self) -> None:
        """Lets all readers go."""
        for stream in self._kept.values():
            stream.end()

    def _least_needed(self, newest: Stream) -> Stream | None:
        """The oldest with an event that was read, else the oldest; never the message that has just come.

        Nor an answer that is about to be read: many can come at once, before any reader has its turn.
        """
        others = [
            each for each in self._kept.values() if len(each.events) > (each is newest) and not each.indispensable
        ]
        return min(others, key=lambda each: each.unread, default=None)

    def _forget(self, stream: Stream, count: int) -> None:
        for _ in range(count):
            self._bytes -= stream.forget_oldest()
            self._events -= 1
        if stream.ended and not stream.events:
            self._kept.pop(stream.key, None)

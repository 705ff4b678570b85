"""Connections of one host each, to servers that may ask hosts something.

Such a server may hold what a host told it for as long as its connection lasts, and on most transports a question does
not say whose call caused it. So each host has a connection of its own there, from its first request until it leaves.
Those that can be asked nothing tell nothing, and share the one that lists the server.

On stdio each costs a process, so the longest unused one gives way, and when all are busy a request waits, then is
refused in words. Over HTTP a host of 2026-07-28 is known by its requests alone: each of them that can be asked has a
connection to a server over HTTP; on stdio that would cost too much, so there it uses the shared one, where a question
reaches a host as long as its calls alone are under way. The shared one is told that hosts can do all that may be asked,
so that what it lists does not go by who is there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Hashable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio

from toolrouter.config import Limits
from toolrouter.errors import UpstreamError
from toolrouter.types import Listing
from toolrouter.upstream.keeper import Keeper
from toolrouter.wire.caller import Caller

ROOM_S = 30.0
"""How long a request waits for a connection while as many as may be are busy."""
LEFT = "stopped because its host left"
GAVE_WAY = "stopped to make room for another host's connection"


@dataclass(eq=False, slots=True)
class Own:
    """One of them. It is no part of the catalog: others do not see what is listed on it."""

    alias: str
    host: Hashable
    keeper: Keeper = field(init=False)
    listing: Listing | None = None
    """What the server showed on it last."""
    active: int = 0
    used_at: float = 0.0
    left: bool = False

    @property
    def busy(self) -> bool:
        return self.active > 0 or self.keeper.watched

    async def hear(self, listing: Listing) -> None:
        self.listing = listing


class OwnConnections:
    """All of them, at most `limits.max_host_connections` for one server at a time."""

    def __init__(
        self,
        make: Callable[[str, Hashable, Caller], Own],
        limits: Callable[[], Limits],
    ) -> None:
        self._make, self._limits = make, limits
        self._found: dict[tuple[str, Hashable], Own] = {}
        self._freed = anyio.Event()
        self._waiting = 0

    def __iter__(self) -> Iterator[Own]:
        return iter(tuple(self._found.values()))

    @asynccontextmanager
    async def held(self, alias: str, caller: Caller) -> AsyncIterator[Own]:
        """The one for that host's requests, kept from being given up meanwhile.

        Raises UpstreamError when there is no room for it.
        """
        own = await self._opened(alias, caller)
        own.active += 1
        try:
            yield own
        finally:
            own.active -= 1
            own.used_at = anyio.current_time()
            if own.left and not own.active:
                self._drop(own, LEFT)
            self.tell_freed()

    def leave(self, host: Hashable) -> None:
        """That host is gone; calls of it that still go on are not cut off."""
        for own in self:
            if own.host == host:
                own.left = True
                if not own.active:
                    self._drop(own, LEFT)

    def end(self, own: Own, reason: str) -> None:
        """Ends it at once. Calls that are under way on it fail with `reason`."""
        own.left = True
        own.keeper.stop(reason)
        if not own.active:
            self._drop(own, reason)

    def tell_freed(self) -> None:
        """Some connection may be busy no more: whoever waits for room looks again."""
        freed, self._freed = self._freed, anyio.Event()
        freed.set()

    async def _opened(self, alias: str, caller: Caller) -> Own:
        host = caller.host
        wait_s = ROOM_S if self._waiting < self._limits().max_waiting else 0
        self._waiting += 1
        try:
            with anyio.move_on_after(wait_s):
                while (own := self._found.get((alias, host))) is None and not self._make_room(alias):
                    await self._freed.wait()
                if own is None:
                    own = self._found[alias, host] = self._make(alias, host, caller)
                return own
        finally:
            self._waiting -= 1
        most = self._limits().max_host_connections
        words = f"{alias}: calls of other hosts keep all {most} connections to it busy; this one was not sent"
        raise UpstreamError(alias, f"{words}. toolrouter.limits.max_host_connections allows more")

    def _make_room(self, alias: str) -> bool:
        there, most = [own for own in self if own.alias == alias], self._limits().max_host_connections
        idle = sorted((own for own in there if not own.busy), key=lambda own: own.used_at)
        given_up = idle[: max(0, len(there) - most + 1)]
        for own in given_up:
            self._drop(own, GAVE_WAY)
        return len(there) - len(given_up) < most

    def _drop(self, own: Own, reason: str) -> None:
        own.keeper.stop(reason)
        if self._found.get((own.alias, own.host)) is own:
            del self._found[own.alias, own.host]
        self.tell_freed()

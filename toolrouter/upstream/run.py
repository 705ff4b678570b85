"""One life of an upstream, who hears of it, and why it may end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from toolrouter.errors import UpstreamError
from toolrouter.types import Listing, ServerState
from toolrouter.upstream.connection import Connection, ReverseHandlers
from toolrouter.upstream.lister import Lister

IDLE = "stopped because nobody used it"
RESTARTED = "restarted on request"
RECONFIGURED = "stopped because its entry in the config changed"
REMOVED = "stopped because it was removed from the config"
REFRESH_LINGER_S = 30.0
"""How long a server that was started only to be listed waits for a first call."""


@dataclass(frozen=True, slots=True)
class UpstreamStatus:
    """How one upstream is doing now."""

    state: ServerState
    error: str = ""
    pid: int | None = None
    since: float = 0.0
    """Unix time at which it came into this state."""


@dataclass(frozen=True, slots=True)
class Observers:
    """Who hears of an upstream's news, and who serves its questions."""

    on_listing: Callable[[Listing], Awaitable[None]]
    on_state: Callable[[str, ServerState, str], None]
    reverse: Callable[[], ReverseHandlers]
    """Asked at each start: what we can serve depends on the hosts that are there."""
    home: Path | None = None
    """Where logins are kept."""


@dataclass(slots=True, eq=False)
class Run:
    """One life of an upstream."""

    settled: anyio.Event = field(default_factory=anyio.Event)
    """It is connected, or failed to."""
    done: anyio.Event = field(default_factory=anyio.Event)
    touched: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    stopping: str = ""
    """Why we stop it; empty while we do not."""
    connection: Connection | None = None
    lister: Lister | None = None
    failure: UpstreamError | None = None
    active: int = 0
    calls: int = 0
    last_used: float = 0.0

    @property
    def usable(self) -> bool:
        broken = self.connection is not None and self.connection.broken
        return not (self.done.is_set() or self.stopping or broken)

    @property
    def live_connection(self) -> Connection | None:
        """Its connection, once it has settled and as long as it can be used."""
        return self.connection if self.usable and self.settled.is_set() else None

    def stop(self, reason: str) -> None:
        """Ends it; its calls fail with `reason`."""
        if self.done.is_set() or self.stopping:
            return
        self.stopping = reason
        if self.connection is not None:
            self.connection.close(reason)
        else:
            self.scope.cancel()

    def gone(self, alias: str) -> UpstreamError:
        """Why it cannot be used. One failure reaches many callers: each raises an exception of its own."""
        if self.failure is None or self.stopping:
            return UpstreamError(alias, f"{alias} was {self.stopping or 'stopped'}")
        return type(self.failure)(alias, str(self.failure))

    @contextmanager
    def used(self) -> Iterator[None]:
        """Keeps it from being stopped as idle meanwhile."""
        self.active += 1
        self.calls += 1
        try:
            yield
        finally:
            self.active -= 1
            self.last_used = anyio.current_time()
            if not self.active:
                self.touched.set()

    async def stop_when_idle(self, idle_s: Callable[[], float | None], is_wanted: Callable[[], bool]) -> None:
        """Ends it when nobody has used it for so long; never once `idle_s` is None. Set `touched` after a change."""
        while (limit_s := idle_s()) is not None:
            patience_s = limit_s if self.calls else min(REFRESH_LINGER_S, limit_s)
            left_s = self.last_used + patience_s - anyio.current_time()
            if left_s <= 0 and not self.active and not is_wanted() and self.connection is not None:
                self.connection.close(IDLE)
                return
            self.touched = anyio.Event()
            if left_s <= 0:
                left_s = patience_s
            with anyio.move_on_after(left_s if not self.active else None):
                await self.touched.wait()

"""One life of an upstream, who hears of it, and why it may end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
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

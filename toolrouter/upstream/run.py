"""One life of an upstream, who hears of it, and why it may end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from toolrouter.errors import UpstreamError
from toolrouter.types import JsonObject, Listing, ServerState
from toolrouter.upstream.connection import Connection, ReverseHandlers
from toolrouter.upstream.lister import Lister
from toolrouter.wire.caller import Caller

IDLE = "stopped because nobody used it"
RESTARTED = "restarted on request"
RECONFIGURED = "stopped because its entry in the config changed"
REMOVED = "stopped because it was removed from the config"
RENEWED = "started anew because it was started for other hosts"
WANTED_ENDS = frozenset({IDLE, RENEWED})


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
    handshake_wanted: bool = False
    """It was opened for hosts of the handshake era: what speaks the new era all the same knows no other."""

    @property
    def usable(self) -> bool:
        broken = self.connection is not None and self.connection.broken
        return not (self.done.is_set() or self.stopping or broken)

    def is_unsuited(self, caller: Caller | None, able: JsonObject, *, own_process: bool) -> bool:
        """Whether it was made for hosts that can do less than `able`, or of the new era where the caller is not.

        Only a run that served no call yet is to be given up: others may hold state. `own_process`: it can speak one
        era only; otherwise a second connection serves the other one.
        """
        if self.connection is None or self.calls or caller is None:
            return False
        if self.connection.modern:
            return not caller.modern and own_process and not self.handshake_wanted
        return not able.keys() <= self.connection.capabilities.keys()

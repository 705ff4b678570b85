"""The configured servers as a host may know them: what each is for, how many tools it brings, how it is doing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from toolrouter.config import Settings
from toolrouter.errors import LOGIN_NEEDED
from toolrouter.server.standing import is_unavailable
from toolrouter.server.words import about_server
from toolrouter.types import Server, ServerState

if TYPE_CHECKING:
    from toolrouter.catalog.snapshot import Catalog


class UpstreamState(Protocol):
    @property
    def state(self) -> ServerState: ...
    @property
    def error(self) -> str: ...


StateOf = Callable[[str], UpstreamState]
"""How the server of that alias is doing now."""


@dataclass(frozen=True, slots=True)
class RosterEntry:
    """One configured server as the host may know it."""

    alias: str
    about: str
    """What it is for, in one short line; empty when nobody said."""
    tools: int
    tokens: int
    state: ServerState
    error: str
    indexed: bool
    """Whether its tools were ever listed."""

    @property
    def needs_login(self) -> bool:
        return LOGIN_NEEDED in self.error


def roster(settings: Settings, catalog: Catalog, state_of: StateOf) -> tuple[RosterEntry, ...]:
    """Every enabled server, by alias."""
    counts = Counter(tool.server for tool in catalog.visible)
    tokens: Counter[str] = Counter()
    for tool in catalog.visible:
        tokens[tool.server] += tool.tokens

    def entry(alias: str) -> RosterEntry:
        server, status = catalog.servers.get(alias), state_of(alias)
        return RosterEntry(
            alias=alias,
            about=about_server(alias, server, settings.options(alias).about),
            tools=counts[alias],
            tokens=tokens[alias],
            state=status.state,
            error=last_error(server, status),
            indexed=server is not None and server.listed_at > 0,
        )

    return tuple(entry(alias) for alias in sorted(settings.enabled()))


def unavailable(aliases: Collection[str], catalog: Catalog, state_of: StateOf) -> frozenset[str]:
    """Those of these servers whose last start failed."""
    servers = catalog.servers
    errors = {alias: servers[alias].error if alias in servers else "" for alias in aliases}
    return frozenset(alias for alias, error in errors.items() if is_unavailable(state_of(alias).state, error))


def last_error(server: Server | None, status: UpstreamState) -> str:
    """Why it could not be reached: now, or, before it was tried, by what an earlier process noted."""
    return status.error or (server.error if server is not None else "")

"""How the tests of this folder reach the stub servers."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from toolrouter.config import Limits, RouterSettings, ServerOptions, Settings, UpstreamSpec
from toolrouter.types import JsonObject, Listing, Server, ServerState
from toolrouter.upstream.connection import ReverseHandlers
from toolrouter.upstream.fleet import Fleet
from toolrouter.wire.caller import Caller

BESIDE_SDK_SERVERS = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
"""The marks of tests with HTTP servers on the SDK, which warns of itself and of what it leaves open."""
STUB = Path(__file__).parent.parent / "upstreams_stub" / "stub.py"


def stub(*words: str, **more: Any) -> UpstreamSpec:
    return UpstreamSpec(command=sys.executable, args=("-I", "-S", str(STUB), *words), **more)


def limits(**changed: Any) -> Limits:
    return Limits(**{"connect_timeout_s": 5, "list_timeout_s": 5, "call_timeout_s": 5, "stop_timeout_s": 2, **changed})


class Watched:
    """A running fleet and everything it reported."""

    def __init__(self) -> None:
        self.fleet: Fleet
        self.listings: list[Listing] = []
        self.states: list[tuple[str, ServerState, str]] = []
        self._news = anyio.Event()

    async def on_listing(self, listing: Listing) -> None:
        self.listings.append(listing)
        self._tell()

    def on_state(self, alias: str, state: ServerState, error: str) -> None:
        self.states.append((alias, state, error))
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._news.wait()

    def of(self, alias: str) -> Listing:
        return next(listing for listing in reversed(self.listings) if listing.server.alias == alias)

    async def call(self, alias: str, name: str, **arguments: Any) -> str:
        result = await self.fleet.request(alias, "tools/call", {"name": name, "arguments": arguments})
        return text(result)


def text(result: JsonObject) -> str:
    found = result["content"][0]["text"]
    assert isinstance(found, str)
    return found


@asynccontextmanager
async def fleet_of(
    servers: dict[str, UpstreamSpec],
    *,
    known: dict[str, Server] | None = None,
    options: dict[str, ServerOptions] | None = None,
    reverse: Callable[[str, Caller | None], ReverseHandlers] | None = None,
    seconds: float = 15,
    home: Path | None = None,
    **changed: Any,
) -> AsyncIterator[Watched]:
    settings = Settings(servers=servers, router=RouterSettings(limits=limits(**changed), servers=options or {}))
    watched = Watched()
    fleet = Fleet(
        settings, known or {}, on_listing=watched.on_listing, on_state=watched.on_state, reverse=reverse, home=home
    )
    watched.fleet = fleet
    with anyio.fail_after(seconds):
        async with anyio.create_task_group() as tasks:
            await tasks.start(fleet.run)
            yield watched
            tasks.cancel_scope.cancel()

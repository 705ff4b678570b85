"""Keeps one running upstream's listing fresh: at the start, after a change, when its promise ran out, on demand."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import anyio

from toolrouter.config import Limits
from toolrouter.errors import RpcError, UpstreamError
from toolrouter.types import Listing
from toolrouter.upstream.connection import Connection
from toolrouter.upstream.listing import list_upstream

logger = logging.getLogger(__name__)

HEADSTART_S = 5.0
"""How long the first call after a start waits for the listing."""
COALESCE_S = 0.2
"""Changes announced within this time are listed once."""
INTERVAL_S = 0.5
"""Least time between two listings that the server causes."""
CREDIT = 30.0
EARNED_S = 5.0
"""So many listings a server may cause in quick succession, and one more in each such time."""
MIN_FRESH_S = 60.0


def fresh_s(ttl_s: float | None, limits: Limits) -> float:
    """How long a listing counts as fresh: what the server promised, within reason, else the configured age."""
    return max(ttl_s, MIN_FRESH_S) if ttl_s else limits.refresh_after_s


class Lister:
    """Lists one connection, one listing at a time."""

    def __init__(
        self,
        connection: Connection,
        limits: Limits,
        launch_hash: str,
        on_listing: Callable[[Listing], Awaitable[None]],
        on_round: Callable[[str], None],
    ) -> None:
        """`on_round` gets the error of each listing, or "" after a success."""
        self.error = ""
        """Why the last listing failed; empty after a success."""
        self._connection = connection
        self._limits = limits
        self._launch_hash = launch_hash
        self._on_listing = on_listing
        self._on_round = on_round
        self._wanted = anyio.Event()
        self._wanted.set()
        self._urgent = anyio.Event()
        self._finished = anyio.Event()
        self._rounds = 0
        self._listed_at = 0.0
        self._credit = CREDIT
        self._ttl_s: float | None = None

    async def run(self) -> None:
        """Lists now and whenever it is wanted, until cancelled."""
        try:
            while True:
                self._wanted = anyio.Event()
                await self._list()
                await self._wait_until_wanted()
        finally:
            self.error = self.error or f"{self._connection.server.alias} is gone"
            self._finished.set()

    def changed(self) -> None:
        """The server said that something changed."""
        self._wanted.set()

    async def wait_listed(self) -> None:
        """Until a first listing is done. Raises UpstreamError when the last one failed."""
        if not self._rounds:
            await self._finished.wait()
        if self.error:
            raise UpstreamError(self._connection.server.alias, self.error)

    async def wait_first(self) -> None:
        """Until the first listing is done, failed, or slow."""
        with anyio.move_on_after(HEADSTART_S):
            if not self._rounds:
                await self._finished.wait()

    async def list_now(self) -> None:
        """Until a listing that ends after this call is done. Raises UpstreamError when it failed."""
        alias = self._connection.server.alias
        if self._connection.broken:
            raise UpstreamError(alias, f"{alias} is gone")
        if self._rounds:
            self._urgent.set()
            self._wanted.set()
        finished = self._finished
        await finished.wait()
        await self.wait_listed()

    async def _list(self) -> None:
        try:
            listing = await list_upstream(self._connection, self._limits, launch_hash=self._launch_hash)
        except (UpstreamError, RpcError) as error:
            self.error = str(error)
            logger.info("%s", error)
        else:
            self.error = ""
            self._ttl_s = listing.server.ttl_s
            await self._hand_on(listing)
        self._rounds += 1
        self._listed_at = anyio.current_time()
        self._on_round(self.error)
        finished, self._finished = self._finished, anyio.Event()
        finished.set()

    async def _hand_on(self, listing: Listing) -> None:
        try:
            await self._on_listing(listing)
        except Exception as error:  # the catalog's fault is not the upstream's
            logger.exception("%s: its listing could not be taken over", listing.server.alias)
            self.error = f"{listing.server.alias}: its listing could not be stored: {error}"

    async def _wait_until_wanted(self) -> None:
        with anyio.move_on_after(fresh_s(self._ttl_s, self._limits)):
            await self._wanted.wait()
        quiet_s = anyio.current_time() - self._listed_at
        self._credit = min(CREDIT, self._credit + quiet_s / EARNED_S)
        interval_s = INTERVAL_S if self._credit >= 1 else EARNED_S
        self._credit = max(0.0, self._credit - 1)
        with anyio.move_on_after(max(COALESCE_S, interval_s - quiet_s)):
            await self._urgent.wait()
        self._urgent = anyio.Event()

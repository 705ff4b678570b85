"""Search, describe, call: what meta-tools and the command line share, over a catalog, a fleet and an index.

The router decides nothing about hosts and holds no connection. A call reads the catalog once and keeps that snapshot.
"""

from __future__ import annotations

import difflib
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.to_thread

from toolrouter.config import Settings
from toolrouter.errors import LOGIN_NEEDED, NotFound
from toolrouter.ports import OnProgress
from toolrouter.server.asking import Asking
from toolrouter.server.cleaning import CleanWords
from toolrouter.server.gates import Gates
from toolrouter.server.hosts import Hosts
from toolrouter.server.kept import KeptResults
from toolrouter.server.offerings import Offerings
from toolrouter.server.parking import Parking, Sends
from toolrouter.server.results import error_result
from toolrouter.server.roster import RosterEntry, UpstreamState, last_error, roster, unavailable
from toolrouter.server.standing import ranked_by_standing
from toolrouter.server.tool_calls import ToolCalls
from toolrouter.types import JsonObject, Server, Status, Tool, ToolId

if TYPE_CHECKING:
    from toolrouter.catalog.snapshot import Catalog
    from toolrouter.retrieval.search import SearchAnswer, SearchOptions

COLD_WAIT_S = 10.0
"""How long a request waits for the first indexing when it can say nothing useful without it."""
_PARALLEL_SEARCHES = 2


class HoldsCatalog(Protocol):
    @property
    def snapshot(self) -> Catalog: ...


class CallsUpstreams(Sends, Protocol):
    """The part of a fleet that the router uses."""

    async def watch(self, alias: str, uri: str) -> Callable[[], Awaitable[None]]: ...
    async def set_level(self, level: str) -> None: ...
    async def announce(self, method: str, host: Hashable) -> None: ...
    def leave(self, host: Hashable) -> None: ...
    def state(self, alias: str) -> UpstreamState: ...


Search = Callable[[Sequence[str], "SearchOptions"], "SearchAnswer"]
"""Finds tools in the current index. Synchronous and CPU-bound: it is run in a worker thread."""

LogUse = Callable[[JsonObject], None]
"""Takes one usage event. Called on the event loop, so it must return at once and never raise."""


class Router:
    """Routes what a host wants to the upstream that can do it."""

    def __init__(
        self,
        settings: Settings,
        catalog: HoldsCatalog,
        fleet: CallsUpstreams,
        search: Search,
        *,
        first_indexing: anyio.Event,
        log_use: LogUse | None = None,
    ) -> None:
        """`first_indexing` is set once the catalog can be searched; with a warm store, from the start."""
        self.settings = settings
        self._catalog = catalog
        self.fleet = fleet
        self._search = search
        self.hosts = Hosts(Asking(lambda: self.settings))
        self.offerings = Offerings(self)
        self.parking = Parking(lambda: self.settings.router.limits)
        self.results = KeptResults(settings.router.results, Path(tempfile.gettempdir()) / f"toolrouter-{os.getpid()}")
        self._ready = first_indexing
        self._log_use = log_use
        self.gates = Gates(lambda: self.settings, lambda: self.catalog)
        self._calls = ToolCalls(self)
        self._limiter = anyio.CapacityLimiter(_PARALLEL_SEARCHES)
        self._listeners: list[Callable[[], None]] = []

    @property
    def catalog(self) -> Catalog:
        """The snapshot of this moment."""
        return self._catalog.snapshot

    @property
    def is_warm(self) -> bool:
        """Whether the tools of every enabled server are known."""
        return self._ready.is_set() or not self._unlisted()

    def _unlisted(self) -> list[str]:
        """Servers that may still bring their first tools; not those that have failed to."""
        servers = self.catalog.servers
        never = Server("")
        known = {alias: servers.get(alias, never) for alias in self.settings.enabled()}
        return [alias for alias, server in known.items() if server.listed_at <= 0 and not server.error]

    async def wait_ready(self, timeout_s: float) -> bool:
        """Waits for the first indexing. False when it takes longer; what is indexed by then can be used."""
        with anyio.move_on_after(timeout_s):
            await self._ready.wait()
        return self._ready.is_set()

    def on_change(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Registers a function that is called on the event loop after catalog or settings changed.

        Returns:
            The function that ends it.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def apply(self, settings: Settings) -> None:
        """Goes on by other settings; `catalog_changed` tells the listeners, once everything has taken them over."""
        self.settings = settings

    def catalog_changed(self) -> None:
        """Tells the listeners. To be called on the event loop, after the new snapshot is in place."""
        for listener in tuple(self._listeners):
            listener()

    def roster(self) -> tuple[RosterEntry, ...]:
        """Every enabled server, by alias."""
        return roster(self.settings, self.catalog, self.fleet.state)

    def unavailable(self) -> frozenset[str]:
        """The enabled servers whose last start failed."""
        return unavailable(self.settings.enabled(), self.catalog, self.fleet.state)

    def needs_login(self, alias: str) -> bool:
        """Whether the last attempt to reach this server ended with its wish for a login."""
        return LOGIN_NEEDED in last_error(self.catalog.servers.get(alias), self.fleet.state(alias))

    async def search(
        self, queries: Sequence[str], *, k: int | None = None, servers: Collection[str] | None = None
    ) -> SearchAnswer:
        """Ranked hits for one or several queries; a cold catalog is waited for a bounded time.

        Raises:
            NotFound: a name in `servers` is no enabled server.
            ModelError: no search of any kind is possible.
        """
        from toolrouter.retrieval.search import SearchOptions  # numpy and more, not needed to start

        if not self.catalog.visible:
            await self.wait_ready(COLD_WAIT_S)
        wanted = self.settings.router.search
        options = SearchOptions(
            k=k or wanted.k,
            min_score=wanted.min_score,
            token_budget=wanted.token_budget,
            servers=None if servers is None else frozenset(self.alias(name) for name in servers),
            retriever=wanted.retriever,
            lean=wanted.lean,
        )
        answer = await anyio.to_thread.run_sync(self._search, list(queries), options, limiter=self._limiter)
        answer = ranked_by_standing(answer, self.catalog, self.unavailable())
        shown = [hit.id for hit in answer.hits]
        self.log({"kind": "search", "queries": list(queries), "shown": shown, "answered": answer.answered})
        return answer

    def alias(self, name: str) -> str:
        """The enabled server of that name, whatever its case. Raises NotFound with the nearest aliases."""
        aliases = {alias.casefold(): alias for alias in self.settings.enabled()}
        found = aliases.get(name.casefold())
        if found is None:
            near = difflib.get_close_matches(name.casefold(), aliases, n=3, cutoff=0.4)
            raise NotFound(f"There is no server `{name}`.", [aliases[alias] for alias in near])
        return found

    async def find(self, name: str) -> Tool:
        """The visible tool of that name. One of a server that is being listed for the first time is waited for.

        Raises:
            NotFound: there is none.
        """
        may_still_come = not self._ready.is_set() and self._may_still_come(name)
        try:
            return await self._find_now(name)
        except NotFound:
            if not may_still_come:
                raise
        await self.wait_ready(COLD_WAIT_S)
        return await self._find_now(name)

    async def _find_now(self, name: str) -> Tool:
        catalog = self.catalog
        known = catalog.tools.get(ToolId(name))
        if known is not None and known.status is Status.APPROVED:
            return catalog.find(name)
        # Comparing a misspelt name with thousands of others takes long enough to hold up other hosts.
        return await anyio.to_thread.run_sync(catalog.find, name, limiter=self._limiter)

    def _may_still_come(self, name: str) -> bool:
        folded = name.casefold()
        return not self.catalog.visible or any(folded.startswith(alias.casefold()) for alias in self._unlisted())

    async def describe(self, names: Sequence[str]) -> Mapping[str, Tool | NotFound]:
        """Each name with its tool, or with why there is none, in the order given."""
        found: dict[str, Tool | NotFound] = {}
        for name in names:
            try:
                found[name] = await self.find(name)
            except NotFound as error:
                found[name] = error
        return found

    async def call(
        self,
        name: str,
        arguments: object,
        *,
        read_only: bool = False,
        on_progress: OnProgress | None = None,
        meta: JsonObject | None = None,
        retry: JsonObject | None = None,
    ) -> JsonObject:
        """The upstream's own result, untouched; or a result with `isError` that says in words why there was no call.

        `arguments` may also be None or the JSON text of an object. `meta` goes along as the call's `_meta`, `retry`
        beside the arguments. The result may ask for input (2026-07-28), unless there is no host that could give it.

        Raises:
            NotFound: no visible tool has that name.
            RpcError: the upstream answered with a JSON-RPC error.
        """
        with self.gates.recorded(name) as record:
            tool = record.tool = await self.find(name)
            if refusal := self.gates.refusal(tool, record, read_only=read_only):
                return error_result(refusal)
            params = await self._calls.params(tool, arguments, meta, retry)
            if "isError" in params:
                record.refuse("arguments")
                return params
            return await self._calls.send(tool, params, on_progress, record)

    async def forward(
        self,
        alias: str,
        method: str,
        params: JsonObject,
        on_progress: OnProgress | None = None,
        before_send: Callable[[], None] | None = None,
    ) -> JsonObject:
        """The result of any other request to one upstream. Raises RpcError, UpstreamError, and what the check does."""
        params = self.hosts.asking.outgoing(alias, params)
        result = await self.parking.request(
            self.words(), alias, method, params, on_progress=on_progress, before_send=before_send
        )
        return result if self.parking.holds(result) else self.hosts.asking.incoming(alias, result)

    def words(self) -> Sends:
        """The fleet, with what it answers cleaned where the settings want that."""
        return CleanWords(self.fleet) if self.settings.router.results.clean else self.fleet

    async def wait_settled(self) -> None:
        """Waits, for a bounded time, until what servers offer is known as far as it can be now."""
        await self.wait_ready(COLD_WAIT_S)

    def log(self, event: JsonObject) -> None:
        """Notes one usage event, unless the person does not want that."""
        if self._log_use is not None and self.settings.router.log_use:
            self._log_use({"at": round(time.time(), 3), **event})

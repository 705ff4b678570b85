"""The composition root: settings → a running router. The only module that knows everyone."""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from toolrouter.catalog.diff import diff_server
from toolrouter.catalog.live import Admit, LiveCatalog, PermitsOffer, Permitted, Withhold
from toolrouter.catalog.store import open_store
from toolrouter.config import Settings
from toolrouter.errors import ModelError, NotFound, StoreError
from toolrouter.guard.admission import admitter
from toolrouter.guard.notices import Notices
from toolrouter.guard.pins import launch_of, withholder
from toolrouter.guard.policy import permits_offer, permitted
from toolrouter.index.embedders import make_embedder
from toolrouter.index.rerankers import make_reranker
from toolrouter.ports import OnProgress, Store
from toolrouter.server.asking import Asking
from toolrouter.server.audit_trail import AuditTrail
from toolrouter.server.hosts import Hosts
from toolrouter.server.indexer import Indexer
from toolrouter.server.indexer import OnProgress as OnIndexing
from toolrouter.server.kept import KeptResults
from toolrouter.server.late_writes import LateWrites
from toolrouter.server.rechecks import Rechecks
from toolrouter.server.router import Router
from toolrouter.server.shown import check_shown
from toolrouter.settings_file import ConfigWatch
from toolrouter.telemetry.logs import configure_masking
from toolrouter.types import JsonObject, Listing, Server, ServerState, Tool
from toolrouter.upstream.fleet import Fleet

if TYPE_CHECKING:
    from toolrouter.catalog.diff import Changes
    from toolrouter.retrieval.search import SearchAnswer

logger = logging.getLogger(__name__)

STORE_POLL_S = 2.0
"""How soon an approval or an index run of another process takes effect."""
CONFIG_POLL_S = 1.0
"""How soon an edit of the config takes effect."""
DUE_POLL_S = 30.0
FIRST_BUILD_AFTER_S = 1.0
"""Building takes the processor from the answers that a host waits for first; a search starts it at once."""
FIRST_LISTING_S = 20.0
"""After this the catalog counts as complete, whoever has not answered."""
INDEX_WAIT_S = 900.0
NOTICE_EVERY_S = 10.0


class Running:
    """A router with everything behind it; what commands and the serving loop work with."""

    def __init__(
        self, settings: Settings, store: Store, catalog: LiveCatalog, home: Path, on_indexing: OnIndexing | None
    ) -> None:
        self.settings = settings
        self.in_effect = settings
        """The last settings by which everything goes; while others are being applied, still the former ones."""
        self.store = store
        self.catalog = catalog
        self.ready = anyio.Event()
        self.late_writes = LateWrites()
        self.audit = AuditTrail(home, self.late_writes, lambda: self.settings.router.audit)
        self.indexer = Indexer(
            lambda: catalog.snapshot, store, partial(make_embedder, settings.router.embedder), on_indexing
        )
        self.indexer.reranker = make_reranker(settings.router.reranker)
        asking = Asking(lambda: self.settings)
        self.hosts = Hosts(asking, lambda alias: catalog.snapshot.has_approved(alias))
        self.fleet = Fleet(
            settings,
            catalog.snapshot.servers,
            on_listing=self._on_listing,
            on_state=self._on_state,
            reverse=self.hosts.handlers,
            home=home,
        )
        self.fleet.check_shown = lambda *asked: check_shown(catalog.snapshot, self.settings, *asked)
        self.router = Router(
            settings,
            catalog,
            self.fleet,
            self.indexer.search,
            first_indexing=self.ready,
            log_use=partial(self.late_writes.add, store.log_use),
        )
        self.router.hosts = self.hosts
        self.router.gates.audit = asking.audit = self.audit.note
        self.show_notice: Callable[[str], Awaitable[None]] | None = None
        """Who tells the person what has come to wait for review; nobody at first."""
        self._notices = Notices(catalog, self._launches)
        self._listed: dict[str, Changes] = {}
        self._look_again = anyio.Event()
        self._rechecks = Rechecks(catalog, store)

    async def search(
        self, queries: Sequence[str], *, k: int | None = None, servers: Collection[str] | None = None
    ) -> SearchAnswer:
        """See `Router.search`."""
        await self.indexer.wait_current()
        return await self.router.search(queries, k=k, servers=servers)

    async def describe(self, names: Sequence[str]) -> Mapping[str, Tool | NotFound]:
        """See `Router.describe`."""
        return await self.router.describe(names)

    async def call(
        self, name: str, arguments: object, *, read_only: bool = False, on_progress: OnProgress | None = None
    ) -> JsonObject:
        """See `Router.call`."""
        return await self.router.call(name, arguments, read_only=read_only, on_progress=on_progress)

    async def index(
        self,
        aliases: Collection[str] | None = None,
        *,
        force: bool = False,
        on_answer: Callable[[str], object] = lambda alias: None,
    ) -> dict[str, Changes]:
        """Lists these servers, or those whose definitions are due, and indexes what came.

        `on_answer` is called with each server that need not be waited for any more, whether it answered or failed.

        Returns:
            What changed, by server; a server that could not be reached is absent, and `fleet.state` says why.
        """
        asked = aliases if aliases is not None else self.settings.enabled()
        wanted = self._startable(asked)
        if not force:
            due = set(self.fleet.due())
            wanted = [alias for alias in wanted if alias in due]
        before, self._listed = self.catalog.snapshot, {}
        for alias in set(asked) - set(wanted):
            on_answer(alias)
        await self.fleet.refresh(wanted, on_answer)
        await anyio.to_thread.run_sync(self._rechecks.check)
        with anyio.move_on_after(INDEX_WAIT_S) as patience:
            await self.indexer.wait_current()
        if patience.cancelled_caught:
            raise ModelError(f"Indexing did not end within {INDEX_WAIT_S:g} s; what is done is kept. Run it again.")
        return {alias: diff_server(alias, before, self.catalog.snapshot, last) for alias, last in self._listed.items()}

    def _startable(self, aliases: Collection[str]) -> list[str]:
        """Those of these servers that may be started to be listed: not what nobody has agreed to start this way."""
        enabled = self.settings.enabled()
        return [alias for alias in aliases if alias in enabled and not self.catalog.facts(alias).withheld]

    async def serve_in_background(self) -> None:
        """Keeps definitions fresh and follows other processes, until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._follow_store)
            tasks.start_soon(self._say_when_ready)
            tasks.start_soon(self._rechecks.run, self._catalog_changed)
            tasks.start_soon(self._tell_when_something_waits)
            await self.hosts.wait_first()
            tasks.start_soon(self._refresh_due, True)
            while True:
                self._look_again = anyio.Event()
                with anyio.move_on_after(DUE_POLL_S):
                    await self._look_again.wait()
                # On its own: a server that hangs must not hold up one that an edit has just added.
                tasks.start_soon(self._refresh_due, False)

    async def _refresh_due(self, first: bool) -> None:
        due = self._startable(self.fleet.due())
        await self.fleet.refresh(due)
        if first:
            if due:
                # Whoever waits for the first listing searches next: the index must know of it.
                await self.indexer.wait_current()
            self.ready.set()

    async def apply(self, settings: Settings) -> None:
        """Goes on by other settings. Only servers that would be started differently are stopped; new ones are listed.

        Raises:
            StoreError: what is known of new servers cannot be read.
        """
        former, self.settings = self.settings, settings
        self.router.apply(settings)
        try:
            await anyio.to_thread.run_sync(self.catalog.apply, *catalog_rules(settings))
            self.in_effect = settings
        finally:
            self.fleet.apply(settings, self.catalog.snapshot.servers)
            if settings.router.embedder != former.router.embedder:
                self.indexer.use_embedder(partial(make_embedder, settings.router.embedder))
            if settings.router.reranker != former.router.reranker:
                self.indexer.reranker = make_reranker(settings.router.reranker)
            self._catalog_changed()
            self._look_again.set()

    async def follow_config(self, watch: ConfigWatch) -> None:
        """Applies edits of the config as they are made, until cancelled."""
        while True:
            await anyio.sleep(CONFIG_POLL_S)
            settings = await anyio.to_thread.run_sync(watch.poll)
            if settings is None:
                continue
            configure_masking(watch.secrets)
            try:
                await self.apply(settings)
            except StoreError as error:
                logger.warning("%s", error)
            logger.info("the config was edited: %d servers are in effect", len(settings.enabled()))

    async def _say_when_ready(self) -> None:
        """A server that hangs must not keep the others from being called complete."""
        await anyio.sleep(FIRST_LISTING_S)
        self.ready.set()

    def _launches(self) -> dict[str, JsonObject]:
        return {alias: launch_of(spec) for alias, spec in self.settings.servers.items()}

    async def _tell_when_something_waits(self) -> None:
        """A notice for all that came within a while, and only where the person wants it."""
        while True:
            await anyio.sleep(NOTICE_EVERY_S)
            news = await anyio.to_thread.run_sync(self._notices.news)
            if news and self.show_notice is not None and self.settings.router.notifications:
                await self.show_notice(news)

    async def _follow_store(self) -> None:
        while True:
            await anyio.sleep(STORE_POLL_S)
            try:
                changed = await anyio.to_thread.run_sync(self.catalog.reload)
            except StoreError as error:
                logger.warning("%s", error)
                continue
            if changed:
                self._catalog_changed()

    async def _on_listing(self, listing: Listing) -> None:
        changes = await anyio.to_thread.run_sync(self.catalog.absorb, listing)
        self._listed[listing.server.alias] = changes
        if changes:
            self._rechecks.wanted()
            counts = map(len, (changes.added, changes.changed, changes.removed))
            logger.info("tools of %s: %d added, %d changed, %d removed", listing.server.alias, *counts)
        self.audit.note_changes(changes)
        if changes.problem:
            logger.warning("%s", changes.problem)
        self._catalog_changed()

    def _catalog_changed(self) -> None:
        self.indexer.poke()
        self.router.catalog_changed()

    def _on_state(self, alias: str, state: ServerState, error: str) -> None:
        known = self.catalog.snapshot.servers.get(alias) or Server(alias)
        if state is not ServerState.STARTING:
            said = f"{state.value}: {error.removeprefix(f'{alias}: ')}" if error else state.value
            logger.info("server %s is %s", alias, said)
        settled = state in {ServerState.FAILED, ServerState.RUNNING}
        if settled and known.error != error:
            self.late_writes.add(self._note_servers, replace(known, error=error))

    def note_silence(self, alias: str, why: str) -> None:
        """Remembers why it was not waited for any longer, so that not everybody after us waits as long."""
        known = self.catalog.snapshot.servers.get(alias) or Server(alias)
        self.late_writes.add(self._note_servers, replace(known, error=f"{alias}: {why}"))

    def _note_servers(self, *servers: Server) -> None:
        for server in servers:
            self.catalog.note_server(server)


@asynccontextmanager
async def open_router(
    settings: Settings,
    *,
    home: Path,
    on_progress: OnIndexing | None = None,
    serving: bool = False,
    watch: ConfigWatch | None = None,
) -> AsyncIterator[Running]:
    """A running router over the state in `home`. With `serving`, definitions are kept fresh in the background.

    With `watch`, edits of the config take effect while it runs.

    Raises:
        StoreError: the state cannot be opened.
    """
    store = open_store(home)
    try:
        catalog = LiveCatalog(store, *catalog_rules(settings))
        running = Running(settings, store, catalog, home, on_progress)
        running.router.results = KeptResults(settings.router.results, home / "results")
        try:
            async with anyio.create_task_group() as tasks:
                for part in (running.fleet, running.router.parking):
                    await tasks.start(part.run)
                first_after_s = FIRST_BUILD_AFTER_S if serving else math.inf
                await tasks.start(partial(running.indexer.run, first_after_s=first_after_s))
                tasks.start_soon(running.late_writes.run)
                if serving:
                    tasks.start_soon(running.serve_in_background)
                else:
                    running.ready.set()
                if watch is not None:
                    tasks.start_soon(running.follow_config, watch)
                try:
                    yield running
                finally:
                    running.indexer.stop()
                    tasks.cancel_scope.cancel()
        finally:
            running.late_writes.finish()
    finally:
        store.close()


def catalog_rules(settings: Settings) -> tuple[Admit, Permitted, Collection[str], PermitsOffer, Withhold]:
    """What of the settings decides on what is seen, in the order in which `LiveCatalog` wants it."""
    admit = admitter(settings.router.trust, settings=settings)
    return admit, permitted(settings), settings.enabled().keys(), permits_offer(settings), withholder(settings)

"""Keeps the search index in step with the catalog: one build at a time, in a worker thread, coalesced.

Searches use the index of the last finished build, so a build never delays one. With many texts to embed a lexical
index answers first, and says so.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import anyio
import anyio.from_thread
import anyio.to_thread
from anyio.abc import TaskStatus

from toolrouter.errors import ModelError, StoreError
from toolrouter.guard.standing import newcomers
from toolrouter.ports import Embedder, Reranker, Store

if TYPE_CHECKING:
    from toolrouter.catalog.snapshot import Catalog
    from toolrouter.retrieval.search import SearchAnswer, SearchOptions
    from toolrouter.retrieval.search_index import SearchIndex

logger = logging.getLogger(__name__)

FIRST_BUILD_WAIT_S = 20.0
"""How long a search waits for the very first index of the process."""
LEXICAL_FIRST_ABOVE = 200
"""With more texts to embed than this, searches get a lexical index before that is done."""
NOT_YET = "Search goes by words alone while tools are being embedded. If nothing here fits, ask again in a minute."

OnProgress = Callable[[str, int, int], None]
"""`(what, done, total)`; called from worker threads."""


class _Stopping(Exception):
    """Ends a build whose process is about to end."""


class Indexer:
    """Holds the current index. `run` builds; `search` may be called from any thread."""

    def __init__(
        self,
        catalog: Callable[[], Catalog],
        store: Store,
        make_embedder: Callable[[], Embedder | None],
        on_progress: OnProgress | None = None,
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._make_embedder = make_embedder
        self._on_progress = on_progress
        self.reranker: Reranker | None = None
        """Orders the leading hits of the searches that begin from now on."""
        self._embedder: Embedder | None = None
        self._embedder_error = ""
        self._embedder_outdated = False
        self._index: SearchIndex | None = None
        self._built_from: Catalog | None = None
        self._first_built = threading.Event()
        self._built_with_tools = threading.Event()
        self._stopping = False
        self._wake = anyio.Event()
        self._done = anyio.Event()

    def poke(self) -> None:
        """Asks for a build from the current snapshot. On the event loop."""
        self._wake.set()

    def use_embedder(self, make_embedder: Callable[[], Embedder | None]) -> None:
        """Builds with another embedder from now on. On the event loop."""
        self._make_embedder = make_embedder
        self._embedder_outdated = True
        self._built_from = None
        self.poke()

    @property
    def is_current(self) -> bool:
        built = self._built_from
        return built is not None and built.visible is self._catalog().visible

    async def wait_current(self) -> None:
        """Until the index reflects the catalog of this moment. The caller bounds the wait."""
        while not self.is_current:
            done = self._done
            self.poke()
            await done.wait()

    async def run(
        self, *, first_after_s: float = math.inf, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Builds after every `poke`, and once after `first_after_s` in any case, until cancelled."""
        task_status.started()
        with anyio.move_on_after(first_after_s):
            await self._wake.wait()
        while True:
            self._wake = anyio.Event()
            if not self.is_current:
                await anyio.to_thread.run_sync(self._build)
            done, self._done = self._done, anyio.Event()
            done.set()
            await self._wake.wait()

    def stop(self) -> None:
        """Lets a build under way end early, so that nobody waits for it."""
        self._stopping = True

    def search(self, queries: Sequence[str], options: SearchOptions) -> SearchAnswer:
        """Searches the newest index. Synchronous, for an anyio worker thread. Raises ModelError when there is none."""
        from toolrouter.retrieval.search import search  # the ranking code is not needed to start

        # An index from before the first listing has nothing to find, and says so with great certainty.
        built = self._built_with_tools if self._catalog().visible else self._first_built
        if not built.is_set():
            anyio.from_thread.run_sync(self.poke)
            built.wait(FIRST_BUILD_WAIT_S)
        if self._index is None:
            raise ModelError("The search index is still being built. Try again in a moment.")
        return search(self._index, queries, options, reranker=self.reranker)

    def _build(self) -> None:
        started = time.perf_counter()
        catalog = self._catalog()
        embedder = self._load_embedder()
        try:
            if embedder is not None and self._is_large_step(catalog, embedder):
                self._use(catalog, None, NOT_YET)
            self._use(catalog, embedder)
        except _Stopping:
            return
        if not self._embedder_outdated:
            self._built_from = catalog
        elapsed_ms = (time.perf_counter() - started) * 1000
        logger.debug("indexed %d tools in %.0f ms", len(catalog.visible), elapsed_ms)

    def _is_large_step(self, catalog: Catalog, embedder: Embedder) -> bool:
        from toolrouter.retrieval.search_index import texts_to_embed

        known = set(self._index.ids) if self._index is not None else set()
        new = [tool for tool in catalog.visible if tool.id not in known]
        return (
            len(new) > LEXICAL_FIRST_ABOVE
            and texts_to_embed(new, catalog.servers, embedder, self._store) > LEXICAL_FIRST_ABOVE
        )

    def _use(self, catalog: Catalog, embedder: Embedder | None, warning: str = "") -> None:
        from toolrouter.retrieval.fairness import standing
        from toolrouter.retrieval.search_index import build_search_index

        index = build_search_index(
            catalog.visible,
            catalog.servers,
            embedder=embedder,
            store=self._store,
            on_progress=self._report,
            previous=self._index,
        )
        index.standing = standing(catalog.visible, self._newcomers())
        index.warning = index.warning or warning
        self._index = index
        self._first_built.set()
        if catalog.visible:
            self._built_with_tools.set()

    def _newcomers(self) -> frozenset[str]:
        try:
            return newcomers(self._store.decisions(), time.time())
        except StoreError as error:
            logger.warning("%s", error)
            return frozenset()

    def _report(self, done: int, total: int) -> None:
        if self._stopping:
            raise _Stopping
        if self._on_progress is not None:
            self._on_progress("embedding", done, total)

    def _load_embedder(self) -> Embedder | None:
        """The embedder, made once. Without one the index is lexical, and the log says so."""
        if self._embedder_outdated:
            self._embedder_outdated = False
            self._embedder = None
        if self._embedder is None:
            try:
                self._embedder = self._make_embedder()
            except ModelError as error:
                if str(error) != self._embedder_error:
                    logger.warning("searching by words only: %s", error)
                self._embedder_error = str(error)
        return self._embedder

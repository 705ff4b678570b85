"""Checks of the whole catalog after it changed: what is harmless alone may be an attack beside a later tool."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from toolrouter.errors import StoreError
from toolrouter.guard.inspection import scan_again
from toolrouter.server.probing import probe_newcomers

if TYPE_CHECKING:
    from toolrouter.catalog.live import LiveCatalog
    from toolrouter.ports import Store

logger = logging.getLogger(__name__)

QUIET_S = 5.0
"""How long listings must have been quiet before the whole catalog is checked again."""


class Rechecks:
    """The scanner and the admission probe over one catalog."""

    def __init__(self, catalog: LiveCatalog, store: Store) -> None:
        self._catalog = catalog
        self._store = store
        self._wanted = anyio.Event()

    def wanted(self) -> None:
        """The catalog changed."""
        self._wanted.set()

    async def run(self, on_taken_back: Callable[[], None]) -> None:
        """Checks when changes have come to rest, until cancelled."""
        while True:
            await self._wanted.wait()
            while self._wanted.is_set():
                self._wanted = anyio.Event()
                await anyio.sleep(QUIET_S)
            if await anyio.to_thread.run_sync(self.check):
                on_taken_back()

    def check(self) -> bool:
        """Whether approvals were taken back. Takes the processor: call it in a worker thread."""
        try:
            found = [*scan_again(self._catalog, self._store), *probe_newcomers(self._catalog, self._store)]
            if found:
                names = ", ".join(sorted({made.server for made in found}))
                logger.warning("checks took back %d approvals that no person gave: %s", len(found), names)
                self._catalog.reload()
        except StoreError as error:
            logger.warning("%s", error)
            return False
        return bool(found)

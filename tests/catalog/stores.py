"""Stores for a test, filled and looked into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tests.catalog.making import listing
from toolrouter.catalog.live import LiveCatalog
from toolrouter.catalog.store import SqliteStore, open_store
from toolrouter.config import TrustMode
from toolrouter.guard.admission import admitter
from toolrouter.types import Status


@contextmanager
def opened(home: Path) -> Iterator[SqliteStore]:
    store = open_store(home)
    try:
        yield store
    finally:
        store.close()


def live(store: SqliteStore) -> LiveCatalog:
    return LiveCatalog(store, admitter(TrustMode.FIRST_USE), lambda tool: True, ["s", "t"])


def fill(home: Path) -> None:
    with opened(home) as store:
        live(store).absorb(listing("s", "read", "write"))
        store.save_embeddings("m", {str(n): np.ones(64, dtype=np.float32) for n in range(300)})


def statuses(home: Path, *names: str) -> dict[str, Status]:
    """The statuses of what server `s` lists, after it listed once more."""
    with opened(home) as store:
        found = live(store)
        found.absorb(listing("s", *names))
        return {tool.name: tool.status for tool in found.snapshot.tools.values()}

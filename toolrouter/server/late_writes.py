"""Writing that nobody waits for: in a worker thread, a batch at a time; the rest at the end."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any

import anyio
import anyio.to_thread

from toolrouter.errors import StoreError

logger = logging.getLogger(__name__)

WRITE_BATCH_S = 0.2
MAX_LATE_WRITES = 10_000

Write = Callable[..., None]
"""Writes any number of items at once."""


class LateWrites:
    """What goes to one writer goes in order and in one piece: a transaction for each costs more than the event."""

    def __init__(self) -> None:
        self._waiting: dict[Write, deque[Any]] = {}
        self._wake = anyio.Event()

    def add(self, write: Write, item: Any) -> None:
        if write not in self._waiting:
            self._waiting[write] = deque(maxlen=MAX_LATE_WRITES)
        self._waiting[write].append(item)
        self._wake.set()

    async def run(self) -> None:
        """Writes until cancelled."""
        while True:
            await self._wake.wait()
            await anyio.sleep(WRITE_BATCH_S)
            self._wake = anyio.Event()
            batch, self._waiting = self._waiting, {}
            with anyio.CancelScope(shield=True):  # a batch that waits for a thread is still to be written
                await anyio.to_thread.run_sync(_write_all, batch)

    def finish(self) -> None:
        """Writes what is left, in this thread."""
        batch, self._waiting = self._waiting, {}
        _write_all(batch)


def _write_all(batch: Mapping[Write, Collection[Any]]) -> None:
    for write, items in batch.items():
        try:
            write(*items)
        except StoreError as error:
            logger.warning("%s", error)

"""Writes what several tasks send in one go: with many requests in flight, writing one by one costs most of the time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel

HIGH_BYTES = 2**20
"""With so much unwritten, senders wait."""


class Outbox:
    """Collects messages, each whole, and writes them in order. `run` is the only writer."""

    def __init__(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        self._write = write
        self._parts: list[bytes] = []
        self._size = 0
        self._wake = anyio.Event()
        self._written = anyio.Event()
        self._writing = False
        self._broken = False

    async def put(self, data: bytes) -> None:
        """Has a message written; a cancelled sender never leaves half of one. Raises BrokenResourceError."""
        if self._broken:
            raise anyio.BrokenResourceError
        self._parts.append(data)
        self._size += len(data)
        self._wake.set()
        while self._size > HIGH_BYTES and not self._broken:
            await self._written.wait()

    async def run(self) -> None:
        """Writes until cancelled, or until the other side is gone."""
        try:
            while True:
                await self._wake.wait()
                self._wake = anyio.Event()
                await anyio.lowlevel.checkpoint()  # whoever is about to send gets into the same write
                if self._parts:  # else they woke this for what has been written by then
                    await self._write_all()
        except (OSError, anyio.ClosedResourceError, anyio.BrokenResourceError):
            self._broken = True
            self._tell()

    async def flush(self) -> None:
        """Until everything is written, or cannot be."""
        while (self._parts or self._writing) and not self._broken:
            await self._written.wait()

    async def _write_all(self) -> None:
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._writing = True
        try:
            await self._write(data)
        finally:
            self._writing = False
            self._size = sum(map(len, self._parts))
        self._tell()

    def _tell(self) -> None:
        written, self._written = self._written, anyio.Event()
        written.set()

"""Exposure `dynamic`: what a host of the handshake era searched for becomes tools of its own connection.

The newest protocol forbids lists that vary per connection; hosts that speak it get exposure `search`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import anyio

from toolrouter.types import ToolId

MAX_TOOLS = 24
RELIST_S = 0.3
"""How long a search waits for the host to list the tools anew: then the model can use them in its next step."""


class WorkingSet:
    """The tools of one connection, the least recently used leaving first."""

    def __init__(self, limit: int = MAX_TOOLS) -> None:
        self._limit = limit
        self._ids: OrderedDict[ToolId, None] = OrderedDict()
        self._listed = anyio.Event()

    @property
    def ids(self) -> list[ToolId]:
        return sorted(self._ids)

    def add(self, ids: Sequence[ToolId]) -> bool:
        """Whether that changes the list. The best hits count as the most recently used."""
        before = self.ids
        for tool_id in reversed(ids[: self._limit]):
            self.use(tool_id, known_only=False)
        while len(self._ids) > self._limit:
            self._ids.popitem(last=False)
        return self.ids != before

    def use(self, tool_id: ToolId, *, known_only: bool = True) -> None:
        if tool_id in self._ids or not known_only:
            self._ids[tool_id] = None
            self._ids.move_to_end(tool_id)

    def listed(self) -> None:
        """The host has listed the tools."""
        self._listed.set()

    async def wait_listed(self) -> None:
        """Until the host lists the tools after this call, for a moment."""
        listed = self._listed = anyio.Event()
        with anyio.move_on_after(RELIST_S):
            await listed.wait()

"""Tries newcomers before they are searched: one that would win far too many searches waits for a person."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from toolrouter.catalog.decisions import PROBE, vetted_hashes
from toolrouter.guard.standing import newcomers
from toolrouter.types import Decision

if TYPE_CHECKING:
    from toolrouter.catalog.live import LiveCatalog
    from toolrouter.ports import Store


def probe_newcomers(live: LiveCatalog, store: Store) -> list[Decision]:
    """Takes back what a mode approved of newcomers that fail the admission probe. Raises StoreError."""
    decisions = store.decisions()
    visible = live.snapshot.visible
    new = newcomers(decisions, time.time())
    found: list[Decision] = []
    for alias in sorted(new & {tool.server for tool in visible}):
        from toolrouter.retrieval.probe import dominates  # costs nothing where nobody is new

        mine = [tool for tool in visible if tool.server == alias]
        if dominates(mine, [tool for tool in visible if tool.server not in new]):
            vetted = vetted_hashes(made for made in decisions if made.server == alias)
            found += [
                Decision(alias, tool.name, tool.hash, approved=False, by=PROBE, at=time.time())
                for tool in mine
                if tool.hash not in vetted.get(tool.name, ())
            ]
    if found:
        store.take_back(found)
    return found

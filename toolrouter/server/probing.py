"""Tries newcomers before they are searched: one that would win far too many searches waits for a person."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from toolrouter.catalog.decisions import PROBE, vetted_hashes
from toolrouter.guard.inspection import key_of
from toolrouter.guard.standing import newcomers
from toolrouter.types import Decision

if TYPE_CHECKING:
    from toolrouter.catalog.live import LiveCatalog
    from toolrouter.ports import Store
    from toolrouter.types import Tool

PROBED: Final = "probed"
"""The name of this check, in the store."""


def probe_newcomers(live: LiveCatalog, store: Store) -> list[Decision]:
    """Takes back what a mode approved of newcomers that fail the admission probe. Raises StoreError.

    Nothing is tried twice: neither who is new nor what can be found has changed since.
    """
    decisions = store.decisions()
    visible = live.snapshot.visible
    new = newcomers(decisions, time.time()) & {tool.server for tool in visible}
    if not new:
        return []
    key = key_of([*((tool.id, tool.hash) for tool in visible), *((alias,) for alias in new)])
    if key == store.checked(PROBED):
        return []
    found = [made for alias in sorted(new) for made in _taken_back(alias, new, visible, decisions)]
    if found:
        store.take_back(found)
    store.note_checked(PROBED, key)
    return found


def _taken_back(
    alias: str, new: Collection[str], visible: Sequence[Tool], decisions: Sequence[Decision]
) -> Iterator[Decision]:
    from toolrouter.retrieval.probe import dominates  # costs nothing where nobody is new

    mine = [tool for tool in visible if tool.server == alias]
    if dominates(mine, [tool for tool in visible if tool.server not in new]):
        vetted = vetted_hashes(made for made in decisions if made.server == alias)
        for tool in mine:
            if tool.hash not in vetted.get(tool.name, ()):
                yield Decision(alias, tool.name, tool.hash, approved=False, by=PROBE, at=time.time())

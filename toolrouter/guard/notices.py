"""Says once what has newly come to wait for a person: in our own words, with the servers' names from the config."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from toolrouter.guard.subjects import Subject, subjects
from toolrouter.types import Status

if TYPE_CHECKING:
    from toolrouter.catalog.live import LiveCatalog
    from toolrouter.types import JsonObject

Launches = Callable[[], Mapping[str, "JsonObject"]]


class Notices:
    """Remembers what was told. What waited before it was made is no news."""

    def __init__(self, live: LiveCatalog, launches: Launches) -> None:
        self._live = live
        self._launches = launches
        self._told = {_key(subject) for subject in self._waiting()}

    def news(self) -> str:
        """What waits now and was not told before; empty when there is nothing."""
        if self._live.snapshot is self._seen:
            return ""
        waiting = self._waiting()
        new = [subject for subject in waiting if _key(subject) not in self._told]
        self._told = {_key(subject) for subject in waiting}
        lines = []
        for alias in sorted({subject.server for subject in new}):
            counts = Counter(subject.status for subject in new if subject.server == alias)
            told = [f"{counts[status]} {word}" for status, word in _WORDS.items() if counts[status]]
            lines.append(f"{alias}: {' and '.join(told)}. Look at it: toolrouter review {alias}")
        return "\n".join(lines)

    def _waiting(self) -> list[Subject]:
        self._seen = self._live.snapshot
        return [subject for subject in subjects(self._live, self._launches()) if subject.waits]


_WORDS = {Status.WITHDRAWN: "changed and withdrawn", Status.PENDING: "new and waiting for review"}


def _key(subject: Subject) -> tuple[str, str, str, str]:
    return subject.server, subject.kind, subject.name, subject.hash

"""Events on their way into the audit log: under the time at which they happened, written while nobody waits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from toolrouter.server.late_writes import LateWrites
from toolrouter.telemetry.audit import AuditLog, now_in_utc
from toolrouter.types import JsonObject

if TYPE_CHECKING:
    from toolrouter.catalog.diff import Changes

NOTED_CHANGES = 50
"""So many tools of a listing are named in the audit log: a server that changes thousands must not push out the rest."""


class AuditTrail:
    """What one router does, as long as `is_wanted` says that it is to be kept."""

    def __init__(self, home: Path, late_writes: LateWrites, is_wanted: Callable[[], bool]) -> None:
        self._log = AuditLog(home)
        self._late_writes = late_writes
        self._is_wanted = is_wanted

    def note(self, event: JsonObject) -> None:
        """Puts one event into the audit log."""
        if self._is_wanted():
            self._late_writes.add(self._log.write, {"at": now_in_utc(), **event})

    def note_changes(self, changes: Changes) -> None:
        """Puts what a listing changed into the audit log, tool by tool up to a bound."""
        for what, tools in (("added", changes.added), ("changed", changes.changed), ("removed", changes.removed)):
            for tool in tools[:NOTED_CHANGES]:
                event = {"tool": tool.id, "server": tool.server, "hash": tool.hash, "decision": tool.status.value}
                self.note({"kind": what, **event, "reason": tool.reason})
            if (more := len(tools) - NOTED_CHANGES) > 0:
                self.note({"kind": what, "tool": "", "server": tools[0].server, "hash": "", "decision": f"{more} more"})

"""The second record of decisions: `approvals.jsonl`, one line each, only ever appended to.

The database can be lost; what a person approved must then neither be forgotten nor, worse, be made up. A line
counts only when its checksum fits, so a damaged one proves nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from toolrouter.types import Decision

_CHECK: Final = "check"
_KINDS: Final = {"server": str, "name": str, "hash": str, "approved": bool, "by": str, "at": float}


class Journal:
    """Appends and reads. Callers serialise the appends of all processes: they hold the database's write lock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def size(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def append(self, decisions: Iterable[Decision]) -> int:
        """Writes decisions down for good and returns the new size. Writes all of them or raises OSError."""
        lines = "".join(_line(decision) + "\n" for decision in decisions).encode()
        before = self.size()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            # A line that a crash left unfinished must not swallow the next one.
            _write(descriptor, lines if self._ends_a_line(before) else b"\n" + lines)
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, before)
            raise
        finally:
            os.close(descriptor)
        return self.size()

    def cut_back(self, size: int) -> None:
        """Takes back what was appended since the journal had this size."""
        if self.size() > size:
            os.truncate(self.path, size)

    def read(self) -> list[Decision]:
        """Returns the decisions of all sound lines, oldest first."""
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        return [decision for decision in map(_parse, lines) if decision]

    def _ends_a_line(self, size: int) -> bool:
        if size == 0:
            return True
        with self.path.open("rb") as file:
            file.seek(size - 1)
            return file.read(1) == b"\n"


def _line(decision: Decision) -> str:
    fields = asdict(decision)
    del fields["said"]
    return json.dumps({**fields, _CHECK: _checksum(fields)})


def _parse(line: bytes) -> Decision | None:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or fields.pop(_CHECK, None) != _checksum(fields):
        return None
    if fields.keys() != _KINDS.keys() or not all(isinstance(fields[key], kind) for key, kind in _KINDS.items()):
        return None
    return Decision(**fields)


def _checksum(fields: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]

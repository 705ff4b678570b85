"""The audit log: who called what, by which approved definition, and what came of it. Never what was in a call.

One JSON object a line in `audit.jsonl`, the owner's alone; older parts are kept beside it up to a bound.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

FILE: Final = "audit.jsonl"
LARGEST_FILE: Final = 5 * 2**20
FILES: Final = 5


def now_in_utc() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class AuditLog:
    """Appends whole lines, so that several processes may share the file."""

    def __init__(self, home: Path, *, largest: int = LARGEST_FILE, files: int = FILES) -> None:
        self._path = home / FILE
        self._largest = largest
        self._files = files

    def write(self, *events: dict[str, Any]) -> None:
        """Appends events under the time of now, unless they bring one. A full disk costs the events, no more."""
        lines = "".join(json.dumps({"at": now_in_utc(), **event}) + "\n" for event in events).encode()
        try:
            self._rotate()
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(descriptor, lines)
            finally:
                os.close(descriptor)
        except OSError:
            return

    def read(self) -> Iterator[dict[str, Any]]:
        """Yields every event that is kept, oldest first; what is no event is passed over."""
        for path in reversed([self._path, *self._older()]):
            try:
                lines = path.read_bytes().splitlines()
            except OSError:
                continue
            for line in lines:
                try:
                    event = json.loads(line)
                except ValueError:
                    continue
                if isinstance(event, dict):
                    yield event

    def _older(self) -> list[Path]:
        """From the newest to the oldest."""
        return [self._path.with_name(f"{FILE}.{number}") for number in range(1, self._files)]

    def _rotate(self) -> None:
        try:
            if self._path.stat().st_size < self._largest:
                return
        except FileNotFoundError:
            return
        chain = [self._path, *self._older()]
        for newer, older in reversed(list(pairwise(chain))):
            if newer.exists():
                newer.replace(older)

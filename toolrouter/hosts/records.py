"""What was done to which host's file, and its bytes from before: so that it can be undone.

Kept under toolrouter's own folder, readable by its owner only: a file from before may hold tokens.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

from toolrouter.errors import StoreError
from toolrouter.hosts.places import Host
from toolrouter.settings_file.edit import replace_file


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a host's file."""

    backup: str
    """The name of the file with the bytes from before; empty when there was no file."""
    written: str
    """sha256 of what was written."""
    at: float


@dataclass(frozen=True, slots=True)
class Record:
    """All that was done to one file, oldest first."""

    path: Path
    folder: Path
    steps: tuple[Step, ...]

    def before(self, step: Step) -> bytes | None:
        """Raises StoreError when the backup is gone."""
        if not step.backup:
            return None
        try:
            return (self.folder / step.backup).read_bytes()
        except OSError as error:
            raise StoreError(f"The backup {self.folder / step.backup} cannot be read: {error.strerror}.") from error


def digest(data: bytes | None) -> str:
    return hashlib.sha256(data).hexdigest() if data is not None else ""


def record_of(home: Path, host: Host, path: Path) -> Record:
    """What is known of this file; no steps when nothing is. Raises StoreError."""
    folder = home / "installs"
    try:
        found = json.loads(_file(home, host, path).read_text(encoding="utf-8"))
        return Record(path, folder, tuple(Step(**step) for step in found["steps"]))
    except FileNotFoundError:
        return Record(path, folder, ())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{_file(home, host, path)} cannot be read: {error}. Move it away to go on.") from error


def add_step(home: Path, host: Host, path: Path, *, before: bytes | None, written: bytes) -> Path | None:
    """Keeps the bytes from before and notes what is about to be written; returns the backup. Raises StoreError."""
    record = record_of(home, host, path)
    backup = _free_name(record, _file(home, host, path).stem) if before is not None else ""
    steps = (*record.steps, Step(backup, digest(written), time.time()))
    try:
        record.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if before is not None:
            replace_file(record.folder / backup, before)
        document = {"host": host.id, "path": str(path), "steps": [asdict(step) for step in steps]}
        replace_file(_file(home, host, path), json.dumps(document, indent=2).encode())
    except OSError as error:
        raise StoreError(
            f"{record.folder} cannot be written: {error.strerror or error}. Nothing was changed."
        ) from error
    return record.folder / backup if backup else None


def _free_name(record: Record, stem: str) -> str:
    # A file from an earlier installation may be there still: a person was told where it is.
    names = (f"{stem}.{number}.before" for number in count(len(record.steps) + 1))
    return next(name for name in names if not (record.folder / name).exists())


def forget(home: Path, host: Host, path: Path, *, backups: bool) -> None:
    """Drops what is known of this file, and with `backups` its bytes from before."""
    record = record_of(home, host, path)
    for step in record.steps if backups else ():
        if step.backup:
            (record.folder / step.backup).unlink(missing_ok=True)
    _file(home, host, path).unlink(missing_ok=True)


def _file(home: Path, host: Host, path: Path) -> Path:
    mark = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    return home / "installs" / f"{host.id}-{mark}.json"

"""Opens `state.db`: the folder and its permissions, the schema and its versions, and what to do when it is damaged."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from toolrouter.catalog.journal import Journal
from toolrouter.errors import StoreError
from toolrouter.places import others_may_write
from toolrouter.types import Decision

SCHEMA_VERSION: Final = 2
_APPLICATION_ID: Final = 0x746F6F6C
_OPEN_TIMEOUT_S: Final = 15.0
BUSY_TIMEOUT_MS: Final = 5_000
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

# One script for each schema version, each leading on from the one before.
_MIGRATIONS: Final = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO meta VALUES ('version', 1), ('journal_bytes', 0), ('approvals_lost', 0);
    CREATE TABLE servers (alias TEXT PRIMARY KEY, record TEXT NOT NULL);
    CREATE TABLE tools (
        server TEXT NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL, raw TEXT NOT NULL, hash TEXT NOT NULL,
        tokens INTEGER NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (server, name));
    CREATE TABLE decisions (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL DEFAULT 'tool', server TEXT NOT NULL,
        name TEXT NOT NULL, hash TEXT NOT NULL, approved INTEGER NOT NULL, by TEXT NOT NULL, at REAL NOT NULL);
    CREATE INDEX decisions_of_server ON decisions (server, seq);
    CREATE TRIGGER decisions_stay BEFORE UPDATE ON decisions
        BEGIN SELECT RAISE(ABORT, 'decisions are never changed'); END;
    CREATE TRIGGER decisions_remain BEFORE DELETE ON decisions
        BEGIN SELECT RAISE(ABORT, 'decisions are never deleted'); END;
    CREATE TABLE embeddings (model TEXT NOT NULL, key TEXT NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (model, key));
    CREATE TABLE uses (id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL);
    """,
    """
    CREATE TABLE definitions (hash TEXT PRIMARY KEY, raw TEXT NOT NULL);
    INSERT OR IGNORE INTO definitions SELECT hash, raw FROM tools WHERE status = 'approved';
    INSERT OR IGNORE INTO meta VALUES ('scanned', 0);
    """,
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A checked database of the current schema."""

    connection: sqlite3.Connection
    inode: int
    set_aside: Path | None
    """Where the damaged file was moved to, when there was one."""
    read_only: bool = False


def open_database(home: Path) -> Opened:
    """Opens or makes `home/state.db`. A damaged file is moved aside, and decisions are read back from the journal.

    Raises:
        StoreError: the folder cannot be used, or the file belongs to a newer toolrouter or another program.
    """
    path = home / "state.db"
    _prepare(home, path)
    try:
        with _alone(home / "state.lock"):
            return _open_checked(path, Journal(home / "approvals.jsonl"))
    except (OSError, sqlite3.Error) as error:
        readable = _open_read_only(path)
        if readable:
            return readable
        raise StoreError(f"{path} cannot be opened: {explain(error)}") from error


def insert_decision(connection: sqlite3.Connection, decision: Decision) -> None:
    connection.execute(
        "INSERT INTO decisions (server, name, hash, approved, by, at) VALUES (?, ?, ?, ?, ?, ?)",
        (decision.server, decision.name, decision.hash, decision.approved, decision.by, decision.at),
    )
    if decision.approved and decision.said is not None:
        # The first one stays: what was approved is what later definitions are compared with.
        connection.execute(
            "INSERT OR IGNORE INTO definitions VALUES (?, ?)", (decision.hash, json.dumps(decision.said))
        )


def set_meta(connection: sqlite3.Connection, key: str, value: int) -> None:
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def explain(error: Exception) -> str:
    """Says what went wrong with a file in words that name the way out."""
    reasons = {
        sqlite3.SQLITE_FULL: "the disk is full; free some space",
        sqlite3.SQLITE_READONLY: "it cannot be written; check the permissions of the folder",
        sqlite3.SQLITE_BUSY: "another toolrouter process keeps it locked; try again",
        sqlite3.SQLITE_CORRUPT: "it is damaged; start toolrouter again to set it aside and make a new one",
        sqlite3.SQLITE_NOTADB: "it is damaged; start toolrouter again to set it aside and make a new one",
        sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check the permissions of the folder",
        sqlite3.SQLITE_IOERR: "the disk failed to read or write it; check the disk",
    }
    return reasons.get(_code(error), str(error))


def _code(error: Exception) -> int:
    # The low byte is the primary code; what is above it only refines.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _prepare(home: Path, path: Path) -> None:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        others = others_may_write(str(home))
    except OSError as error:
        raise StoreError(f"the folder {home} for toolrouter's state cannot be made: {error}") from error
    if others:
        chmod = f"run `chmod 700 {home}`, or " if "can write" in others else ""
        fix = f"{chmod}name a folder of your own in TOOLROUTER_HOME"
        raise StoreError(f"{others}, so approvals in it prove nothing; {fix}")
    if path.is_symlink():
        raise StoreError(f"{path} is a link; put the state in a folder of its own (TOOLROUTER_HOME)")


def _open_checked(path: Path, journal: Journal) -> Opened:
    set_aside = None
    existed = path.exists() and path.stat().st_size > 0
    try:
        connection = _connect(path)
        if existed:
            _check(connection, path)
    except sqlite3.DatabaseError as error:
        if _code(error) not in _DAMAGED:
            raise
        set_aside = _set_aside(path)
        existed = False
        connection = _connect(path)
    _migrate(connection, path)
    if not existed:
        # No reader may take the new file's version for one it saw in the file before.
        connection.execute("UPDATE meta SET value = ? WHERE key = 'version'", (time.time_ns() // 1_000_000,))
        _recover(connection, journal, lost=set_aside is not None or journal.size() > 0)
    elif _meta(connection, "journal_bytes") != journal.size():
        _complete(connection, journal)
    return Opened(connection, path.stat().st_ino, set_aside)


def _connect(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64)
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Raises sqlite3.DatabaseError when the file is damaged, StoreError when it is not ours to use."""
    try:
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        owner = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error:
        connection.close()
        raise
    if verdict != "ok":
        connection.close()
        damage = sqlite3.DatabaseError(verdict)
        damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damage
    if owner != _APPLICATION_ID and tables:
        connection.close()
        raise StoreError(f"{path} belongs to another program; set TOOLROUTER_HOME to another folder")
    if found > SCHEMA_VERSION:
        connection.close()
        raise StoreError(
            f"{path} was written by a newer toolrouter (schema {found}, this one knows {SCHEMA_VERSION}); "
            "install the newer one, or name another folder in TOOLROUTER_HOME"
        )


def _open_read_only(path: Path) -> Opened | None:
    """Opens a sound file on a full or write-protected disk, where even reading the usual way needs files beside it."""
    log = path.with_name(path.name + "-wal")
    try:
        # What is still in the write-ahead log must not be missed: it may be a rejection.
        unmerged = log.exists() and log.stat().st_size > 0
        mode = "mode=ro" if unmerged else "mode=ro&immutable=1"
        uri = f"{path.absolute().as_uri()}?{mode}"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        _check(connection, path)
        if connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION:
            return Opened(connection, path.stat().st_ino, None, read_only=True)
        connection.close()
    except (OSError, sqlite3.Error):
        pass
    return None


def _set_aside(path: Path) -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%S")
    kept = path.with_name(f"{path.name}.corrupt-{stamp}")
    number = 1
    while kept.exists():
        number += 1
        kept = path.with_name(f"{path.name}.corrupt-{stamp}-{number}")
    path.rename(kept)
    for suffix in ("-wal", "-shm"):
        side = path.with_name(path.name + suffix)
        if side.exists():
            side.rename(kept.with_name(kept.name + suffix))
    return kept


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    for version in range(found, SCHEMA_VERSION):
        connection.executescript(
            f"BEGIN IMMEDIATE; {_MIGRATIONS[version]} PRAGMA user_version = {version + 1};"
            f"PRAGMA application_id = {_APPLICATION_ID}; COMMIT;"
        )


def _recover(connection: sqlite3.Connection, journal: Journal, *, lost: bool) -> None:
    """Fills a new database with the decisions that the journal proves.

    What it does not mention may have been decided as well, so no server counts as never seen before.
    """
    connection.execute("BEGIN IMMEDIATE")
    for decision in journal.read():
        insert_decision(connection, decision)
    set_meta(connection, "journal_bytes", journal.size())
    set_meta(connection, "approvals_lost", int(lost))
    connection.execute("COMMIT")


def _complete(connection: sqlite3.Connection, journal: Journal) -> None:
    """Writes into a damaged or lost journal what the sound database knows."""
    connection.execute("BEGIN IMMEDIATE")
    written = set(journal.read())
    missing = [decision for decision in read_decisions(connection, None) if decision not in written]
    set_meta(connection, "journal_bytes", journal.append(missing) if missing else journal.size())
    connection.execute("COMMIT")


def read_decisions(connection: sqlite3.Connection, server: str | None) -> list[Decision]:
    query = "SELECT server, name, hash, approved, by, at FROM decisions WHERE kind = 'tool'"
    if server is None:
        rows = connection.execute(f"{query} ORDER BY seq")
    else:
        rows = connection.execute(f"{query} AND server = ? ORDER BY seq", (server,))
    return [Decision(owner, name, found, bool(approved), by, at) for owner, name, found, approved, by, at in rows]


def _meta(connection: sqlite3.Connection, key: str) -> int:
    return int(connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0])


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keeps other processes from opening at the same time: two that both find damage must not both move files."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _OPEN_TIMEOUT_S
    try:
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                raise StoreError(f"another toolrouter process has been opening {path.parent} for long; try again")
            time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True

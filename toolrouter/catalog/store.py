"""State that outlives the process, in SQLite: one file that several processes read and write at the same time.

Calls block on the disk and on other processes' writes: callers keep them off the event loop.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from toolrouter.catalog.database import (
    BUSY_TIMEOUT_MS,
    explain,
    insert_decision,
    open_database,
    read_decisions,
    set_meta,
)
from toolrouter.catalog.decisions import hashes, not_overruling
from toolrouter.catalog.journal import Journal
from toolrouter.errors import StoreError
from toolrouter.types import Decision, Server, Status, Tool, ToolId

if TYPE_CHECKING:
    from toolrouter.ports import Vectors
    from toolrouter.types import JsonObject

MAX_USES: Final = 50_000
_PRUNE_USES_EVERY: Final = 256
_KEYS_PER_QUERY: Final = 500
_USE_TIMEOUT_MS: Final = 100
_SERVER_FIELDS: Final = frozenset(field.name for field in fields(Server))

logger = logging.getLogger(__name__)


def open_store(home: Path) -> SqliteStore:
    """Opens the state in a folder, which is made when it is not there.

    Raises:
        StoreError: the folder or the file cannot be used; the message says why and what to do.
    """
    return SqliteStore(home)


class SqliteStore:
    """The `Store` of a machine. Usable from any thread; closed once."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._path = home / "state.db"
        self._journal = Journal(home / "approvals.jsonl")
        self._lock = threading.RLock()
        self._open()

    def _open(self) -> None:
        opened = open_database(self._home)
        self._connection, self._inode = opened.connection, opened.inode
        self.read_only = opened.read_only
        """Whether nothing can be saved: the folder cannot be written, but what is in it can be read."""
        self.set_aside = opened.set_aside
        """Where a damaged database was moved to when this one was opened; None when it was sound."""
        if opened.set_aside:
            logger.warning("%s was damaged; it is kept as %s and a new one was made", self._path, opened.set_aside)
        if opened.read_only:
            logger.warning("%s cannot be written; what is learned now will be forgotten", self._path)

    def servers(self) -> Mapping[str, Server]:
        with self._reading() as connection:
            rows = connection.execute("SELECT record FROM servers ORDER BY alias").fetchall()
        records = [json.loads(record) for (record,) in rows]
        servers = [Server(**{key: record[key] for key in record.keys() & _SERVER_FIELDS}) for record in records]
        return {server.alias: server for server in servers}

    def tools(self) -> Sequence[Tool]:
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT id, server, name, raw, hash, tokens, status, reason FROM tools"
            ).fetchall()
        return sorted((_tool(row) for row in rows), key=lambda tool: (tool.id, tool.name))

    def save_listing(self, server: Server, tools: Sequence[Tool], decisions: Sequence[Decision] = ()) -> None:
        with self._writing(durable=bool(decisions)) as connection:
            _put_server(connection, server)
            _replace_tools(connection, server.alias, tools)
            self._record(not_overruling(read_decisions(connection, server.alias), decisions))

    def save_server(self, server: Server) -> None:
        with self._writing() as connection:
            _put_server(connection, server)

    def forget(self, aliases: Collection[str]) -> None:
        rows = [(alias,) for alias in aliases]
        with self._writing() as connection:
            connection.executemany("DELETE FROM servers WHERE alias = ?", rows)
            connection.executemany("DELETE FROM tools WHERE server = ?", rows)

    def version(self) -> int:
        self._reopen_when_replaced()
        return self._meta("version")

    def approvals_lost(self) -> bool:
        return bool(self._meta("approvals_lost"))

    def accept_loss(self) -> None:
        """Lets servers without any decision be trusted at first sight again, on a person's word."""
        with self._writing() as connection:
            set_meta(connection, "approvals_lost", 0)

    def approved_hashes(self, server: str) -> Mapping[str, frozenset[str]]:
        return self._hashes(server, approved=True)

    def rejected_hashes(self, server: str) -> Mapping[str, frozenset[str]]:
        return self._hashes(server, approved=False)

    def decide(
        self, server: str, name: str, definition_hash: str, *, approve: bool, by: str, said: JsonObject | None = None
    ) -> None:
        decision = Decision(server, name, definition_hash, approve, by, time.time(), said)
        status = Status.APPROVED if approve else Status.REJECTED
        reason = "" if approve else f"rejected by {by}"
        with self._writing(durable=True) as connection:
            self._record([decision])
            connection.execute(
                "UPDATE tools SET status = ?, reason = ? WHERE server = ? AND name = ? AND hash = ? AND status != ?",
                (status, reason, server, name, definition_hash, Status.REFUSED),
            )

    def decisions(self, server: str | None = None) -> Sequence[Decision]:
        with self._reading() as connection:
            return read_decisions(connection, server)

    def take_back(self, decisions: Sequence[Decision]) -> None:
        with self._writing(durable=True) as connection:
            for server in {decision.server for decision in decisions}:
                ours = [decision for decision in decisions if decision.server == server]
                self._record(not_overruling(read_decisions(connection, server), ours))

    def definition(self, definition_hash: str) -> JsonObject | None:
        with self._reading() as connection:
            row = connection.execute("SELECT raw FROM definitions WHERE hash = ?", (definition_hash,)).fetchone()
        found: JsonObject | None = json.loads(row[0]) if row else None
        return found

    def checked(self, check: str) -> int:
        return self._meta(check, absent=0)

    def note_checked(self, check: str, key: int) -> None:
        with self._writing(changes_catalog=False) as connection:
            set_meta(connection, check, key)

    def embeddings(self, model: str, keys: Sequence[str]) -> Mapping[str, Vectors]:
        import numpy as np

        found: dict[str, Vectors] = {}
        with self._reading() as connection:
            for start in range(0, len(keys), _KEYS_PER_QUERY):
                some = keys[start : start + _KEYS_PER_QUERY]
                marks = ",".join("?" * len(some))
                rows = connection.execute(
                    f"SELECT key, vector FROM embeddings WHERE model = ? AND key IN ({marks})",  # noqa: S608
                    (model, *some),
                )
                found.update((key, np.frombuffer(vector, dtype="<f4").astype(np.float32)) for key, vector in rows)
        return found

    def save_embeddings(self, model: str, vectors: Mapping[str, Any]) -> None:
        import numpy as np

        rows = [(model, key, np.asarray(vector, dtype="<f4").tobytes()) for key, vector in vectors.items()]
        with self._writing(changes_catalog=False) as connection:
            connection.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?)", rows)

    def log_use(self, *events: JsonObject) -> None:
        rows = [(text,) for text in map(_as_json, events) if text]
        if not rows:
            return
        # A call must not wait for another process only to be remembered.
        with suppress(StoreError), self._writing(changes_catalog=False, timeout_ms=_USE_TIMEOUT_MS) as connection:
            connection.executemany("INSERT INTO uses (event) VALUES (?)", rows)
            last = connection.execute("SELECT max(id) FROM uses").fetchone()[0]
            if last % _PRUNE_USES_EVERY < len(rows):
                connection.execute("DELETE FROM uses WHERE id <= ?", (last - MAX_USES,))

    def uses(self, limit: int) -> Sequence[JsonObject]:
        with self._reading() as connection:
            rows = connection.execute("SELECT event FROM uses ORDER BY id DESC LIMIT ?", (max(0, limit),)).fetchall()
        return [json.loads(event) for (event,) in rows]

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _meta(self, key: str, absent: int | None = None) -> int:
        with self._reading() as connection:
            row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return absent if row is None and absent is not None else int(row[0])

    def _hashes(self, server: str, *, approved: bool) -> dict[str, frozenset[str]]:
        return hashes(self.decisions(server), approved=approved)

    def _reopen_when_replaced(self) -> None:
        """Follows when another process found the file damaged and put a new one in its place."""
        try:
            inode = self._path.stat().st_ino
        except OSError:
            inode = 0
        if inode != self._inode:
            with self._lock:
                self._connection.close()
                self._open()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise StoreError(f"{self._path} cannot be read: {explain(error)}") from error

    @contextmanager
    def _writing(
        self, *, durable: bool = False, changes_catalog: bool = True, timeout_ms: int = BUSY_TIMEOUT_MS
    ) -> Iterator[sqlite3.Connection]:
        """One transaction: everything in it is saved, decisions in the journal too, or nothing is."""
        with self._lock:
            journal_bytes = None
            try:
                self._connection.execute(f"PRAGMA busy_timeout = {timeout_ms}")
                self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self._connection.execute("BEGIN IMMEDIATE")
                journal_bytes = self._journal.size()
                yield self._connection
                if changes_catalog:
                    self._connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'version'")
                self._connection.execute("COMMIT")
            except (sqlite3.Error, OSError) as error:
                self._undo(journal_bytes)
                raise StoreError(f"{self._path} cannot be saved: {explain(error)}. Nothing was changed") from error
            except BaseException:
                self._undo(journal_bytes)
                raise

    def _record(self, decisions: Sequence[Decision]) -> None:
        if decisions:
            for decision in decisions:
                insert_decision(self._connection, decision)
            set_meta(self._connection, "journal_bytes", self._journal.append(decisions))

    def _undo(self, journal_bytes: int | None) -> None:
        # The journal is cut back first, while the write lock keeps other processes from appending to it.
        if journal_bytes is not None:
            with suppress(OSError):
                self._journal.cut_back(journal_bytes)
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def _as_json(event: JsonObject) -> str:
    """Empty for what JSON cannot say."""
    try:
        return json.dumps(event)
    except (TypeError, ValueError, RecursionError):
        return ""


def _put_server(connection: sqlite3.Connection, server: Server) -> None:
    record = json.dumps(asdict(server))
    connection.execute("INSERT OR REPLACE INTO servers VALUES (?, ?)", (server.alias, record))


def _replace_tools(connection: sqlite3.Connection, alias: str, tools: Sequence[Tool]) -> None:
    """Writes only what differs: most listings change nothing."""
    rows = connection.execute("SELECT name, hash, tokens, status, reason, id FROM tools WHERE server = ?", (alias,))
    known = {name: rest for name, *rest in rows}
    connection.executemany(
        "DELETE FROM tools WHERE server = ? AND name = ?",
        [(alias, name) for name in known.keys() - {tool.name for tool in tools}],
    )
    changed = [
        tool
        for tool in tools
        if known.get(tool.name) != [tool.hash, tool.tokens, tool.status.value, tool.reason, tool.id]
    ]
    connection.executemany(
        "INSERT OR REPLACE INTO tools (server, name, id, raw, hash, tokens, status, reason)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (alias, tool.name, tool.id, json.dumps(tool.raw), tool.hash, tool.tokens, tool.status, tool.reason)
            for tool in changed
        ],
    )


def _tool(row: tuple[str, str, str, str, str, int, str, str]) -> Tool:
    tool_id, server, name, raw, definition_hash, tokens, status, reason = row
    return Tool(ToolId(tool_id), server, name, json.loads(raw), definition_hash, tokens, Status(status), reason)

"""A `Store` that forgets everything with the process: for tests, and where nothing may be written."""

from __future__ import annotations

import copy
import threading
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolrouter.catalog.decisions import hashes, not_overruling
from toolrouter.types import Decision, Server, Status, Tool

if TYPE_CHECKING:
    from toolrouter.ports import Vectors
    from toolrouter.types import JsonObject

MAX_USES: Final = 50_000


class MemoryStore:
    """Keeps to the letter of the port; never raises."""

    def __init__(self, *, approvals_lost: bool = False) -> None:
        self._servers: dict[str, Server] = {}
        self._tools: dict[tuple[str, str], Tool] = {}
        self._decisions: list[Decision] = []
        self._definitions: dict[str, JsonObject] = {}
        self._checked: dict[str, int] = {}
        self._embeddings: dict[tuple[str, str], Vectors] = {}
        self._uses: deque[JsonObject] = deque(maxlen=MAX_USES)
        self._version = 1
        self._approvals_lost = approvals_lost
        self._lock = threading.Lock()

    def servers(self) -> Mapping[str, Server]:
        with self._lock:
            return dict(sorted(self._servers.items()))

    def tools(self) -> Sequence[Tool]:
        with self._lock:
            return sorted(self._tools.values(), key=lambda tool: (tool.id, tool.name))

    def save_listing(self, server: Server, tools: Sequence[Tool], decisions: Sequence[Decision] = ()) -> None:
        with self._lock:
            self._drop_tools({server.alias})
            self._servers[server.alias] = server
            self._tools.update({(server.alias, tool.name): tool for tool in tools})
            known = [decision for decision in self._decisions if decision.server == server.alias]
            self._record(not_overruling(known, decisions))
            self._version += 1

    def save_server(self, server: Server) -> None:
        with self._lock:
            self._servers[server.alias] = server
            self._version += 1

    def forget(self, aliases: Collection[str]) -> None:
        with self._lock:
            self._drop_tools(aliases)
            for alias in aliases:
                self._servers.pop(alias, None)
            self._version += 1

    def version(self) -> int:
        return self._version

    def approvals_lost(self) -> bool:
        return self._approvals_lost

    def accept_loss(self) -> None:
        with self._lock:
            self._approvals_lost = False
            self._version += 1

    def approved_hashes(self, server: str) -> Mapping[str, frozenset[str]]:
        return hashes(self.decisions(server), approved=True)

    def rejected_hashes(self, server: str) -> Mapping[str, frozenset[str]]:
        return hashes(self.decisions(server), approved=False)

    def decide(
        self, server: str, name: str, definition_hash: str, *, approve: bool, by: str, said: JsonObject | None = None
    ) -> None:
        with self._lock:
            self._record([Decision(server, name, definition_hash, approve, by, time.time(), said)])
            self._version += 1
            tool = self._tools.get((server, name))
            if tool and tool.hash == definition_hash and tool.status is not Status.REFUSED:
                status = Status.APPROVED if approve else Status.REJECTED
                reason = "" if approve else f"rejected by {by}"
                self._tools[server, name] = replace(tool, status=status, reason=reason)

    def take_back(self, decisions: Sequence[Decision]) -> None:
        with self._lock:
            for server in {decision.server for decision in decisions}:
                known = [decision for decision in self._decisions if decision.server == server]
                self._record(not_overruling(known, [each for each in decisions if each.server == server]))
            self._version += 1

    def definition(self, definition_hash: str) -> JsonObject | None:
        with self._lock:
            return self._definitions.get(definition_hash)

    def checked(self, check: str) -> int:
        return self._checked.get(check, 0)

    def note_checked(self, check: str, key: int) -> None:
        self._checked[check] = key

    def decisions(self, server: str | None = None) -> Sequence[Decision]:
        with self._lock:
            return [decision for decision in self._decisions if server in (None, decision.server)]

    def embeddings(self, model: str, keys: Sequence[str]) -> Mapping[str, Vectors]:
        with self._lock:
            return {key: self._embeddings[model, key] for key in keys if (model, key) in self._embeddings}

    def save_embeddings(self, model: str, vectors: Mapping[str, Any]) -> None:
        with self._lock:
            for key, vector in vectors.items():
                self._embeddings[model, key] = np.array(vector, dtype=np.float32)

    def log_use(self, *events: JsonObject) -> None:
        with self._lock:
            self._uses.extend(copy.deepcopy(events))

    def uses(self, limit: int) -> Sequence[JsonObject]:
        with self._lock:
            return list(reversed(self._uses))[: max(0, limit)]

    def close(self) -> None:
        """Does nothing: there is nothing to give back."""

    def _record(self, decisions: Sequence[Decision]) -> None:
        self._decisions.extend(decisions)
        for decision in decisions:
            if decision.approved and decision.said is not None:
                self._definitions.setdefault(decision.hash, copy.deepcopy(decision.said))

    def _drop_tools(self, aliases: Collection[str]) -> None:
        self._tools = {key: tool for key, tool in self._tools.items() if key[0] not in aliases}

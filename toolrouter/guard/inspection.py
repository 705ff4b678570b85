"""Asks the scanner about what has just arrived, or about the whole catalog. The scanner is loaded when it is asked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from toolrouter.catalog.decisions import SCANNER
from toolrouter.catalog.saying import SAYING, saying, saying_hash
from toolrouter.types import Decision, JsonObject, Server, Status, Tool

if TYPE_CHECKING:
    from toolrouter.catalog.live import LiveCatalog
    from toolrouter.guard.scan import Tier, Verdict
    from toolrouter.ports import Store

CLEAN: Final = "clean"
REVIEW: Final = "review"
BLOCK: Final = "block"
_KEY_BITS: Final = 60

TierOf = Callable[[str, JsonObject], str]
"""`(kind, definition) -> tier`."""


class Inspection:
    """The scanner's view of one listing beside the rest of the catalog. Costs nothing until it is asked."""

    def __init__(self, alias: str, own: Sequence[Tool], others: Sequence[Tool]) -> None:
        self._alias = alias
        self._tools = (*others, *own)
        self._ask: Callable[[str, JsonObject], Verdict] | None = None

    def tier(self, kind: str, raw: JsonObject) -> str:
        """Returns how loud the verdict on a definition of this server is: clean, review or block."""
        if self._ask is None:
            self._ask = self._load()
        return str(self._ask(kind, raw).tier)

    def _load(self) -> Callable[[str, JsonObject], Verdict]:
        from toolrouter.guard.scan import build_context, scan_definition

        context = build_context(self._tools)
        return lambda kind, raw: scan_definition(raw, server=self._alias, kind=kind, context=context)


def scan_again(live: LiveCatalog, store: Store) -> list[Decision]:
    """Scans the whole catalog when it differs from the one scanned last, and takes back what a mode approved.

    A text that names a tool is harmless until the server with that tool comes. What a person approved stays.

    Raises:
        StoreError: the store cannot be read or written.
    """
    snapshot = live.snapshot
    servers = [live.heard(alias) for alias in snapshot.servers]
    key = catalog_key(snapshot.tools.values(), servers)
    if key == store.scanned():
        return []
    vetted = _vetted(store.decisions())
    found = list(_attacks(list(snapshot.tools.values()), servers, vetted))
    if found:
        store.take_back(found)
    store.note_scanned(key)
    return found


def catalog_key(tools: Iterable[Tool], servers: Iterable[Server]) -> int:
    """Returns a number for everything that verdicts depend on."""
    digest = hashlib.sha256()
    for tool in sorted(tools, key=lambda tool: tool.id):
        digest.update(f"{tool.server}\0{tool.name}\0{tool.hash}\0".encode("utf-8", "surrogatepass"))
    for server in sorted(servers, key=lambda server: server.alias):
        digest.update(saying_hash(saying(server)).encode())
    return int.from_bytes(digest.digest()[:8], "big") >> (64 - _KEY_BITS)


def _vetted(decisions: Iterable[Decision]) -> Mapping[str, frozenset[tuple[str, str]]]:
    from toolrouter.catalog.decisions import vetted_hashes

    by_server: dict[str, list[Decision]] = {}
    for made in decisions:
        by_server.setdefault(made.server, []).append(made)
    return {
        server: frozenset((name, each) for name, group in vetted_hashes(ours).items() for each in group)
        for server, ours in by_server.items()
    }


def _attacks(
    tools: Sequence[Tool], servers: Sequence[Server], vetted: Mapping[str, frozenset[tuple[str, str]]]
) -> Iterable[Decision]:
    import time

    from toolrouter.guard.scan import Tier, build_context, scan_definition

    context = build_context(tools)

    def is_attack(raw: JsonObject, server: str, kind: str) -> bool:
        verdict = scan_definition(raw, server=server, kind=kind, context=context)
        blocks: Tier = Tier.BLOCK
        return verdict.tier is blocks

    nobody: frozenset[tuple[str, str]] = frozenset()
    for tool in tools:
        by_a_mode = tool.status is Status.APPROVED and (tool.name, tool.hash) not in vetted.get(tool.server, nobody)
        if by_a_mode and is_attack(tool.raw, tool.server, "tool"):
            yield Decision(tool.server, tool.name, tool.hash, approved=False, by=SCANNER, at=time.time())
    for server in servers:
        said = saying(server)
        known = (SAYING, saying_hash(said)) in vetted.get(server.alias, nobody)
        if said and not known and is_attack(said, server.alias, "instructions"):
            yield Decision(server.alias, SAYING, saying_hash(said), approved=False, by=SCANNER, at=time.time())

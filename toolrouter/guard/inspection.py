"""Asks the scanner about what has just arrived, or about the whole catalog. The scanner is loaded when it is asked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from toolrouter import __version__
from toolrouter.catalog.decisions import SCANNER
from toolrouter.guard.subjects import Subject, scanned_as, subjects
from toolrouter.types import Decision, JsonObject, Status, Tool

if TYPE_CHECKING:
    from toolrouter.catalog.live import LiveCatalog
    from toolrouter.guard.scan import Tier, Verdict
    from toolrouter.ports import Store

CLEAN: Final = "clean"
REVIEW: Final = "review"
BLOCK: Final = "block"
SCANNED: Final = "scanned"
"""The name of the scanner's check, in the store."""
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
    known = subjects(live, {})
    key = catalog_key(known)
    if key == store.checked(SCANNED):
        return []
    found = list(_attacks(known, live.snapshot.tools.values(), _vetted(store.decisions())))
    if found:
        store.take_back(found)
    store.note_checked(SCANNED, key)
    return found


def catalog_key(known: Iterable[Subject]) -> int:
    """Returns a number for everything that verdicts depend on, the version of the rules among it."""
    return key_of((each.server, each.kind, each.name, each.hash) for each in known)


def key_of(parts: Iterable[tuple[str, ...]]) -> int:
    """Returns a number for what a check depends on, whatever its order, that the store can keep."""
    digest = hashlib.sha256(__version__.encode())
    for part in sorted(parts):
        digest.update("".join(f"{each}\0" for each in part).encode("utf-8", "surrogatepass"))
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
    known: Iterable[Subject], tools: Iterable[Tool], vetted: Mapping[str, frozenset[tuple[str, str]]]
) -> Iterable[Decision]:
    import time

    from toolrouter.guard.scan import Tier, build_context, scan_definition

    context = build_context(list(tools))
    blocks: Tier = Tier.BLOCK
    for each in known:
        by_a_mode = each.status is Status.APPROVED and (each.name, each.hash) not in vetted.get(each.server, ())
        if by_a_mode:
            verdict = scan_definition(each.said, server=each.server, kind=scanned_as(each), context=context)
            if verdict.tier is blocks:
                yield Decision(each.server, each.name, each.hash, approved=False, by=SCANNER, at=time.time())

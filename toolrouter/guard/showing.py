"""What a person needs to decide: what is started, what changed, what the scanner says. As values, for any screen."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from toolrouter.catalog.naming import skeleton
from toolrouter.catalog.saying import LAUNCH, SAYING, saying, saying_hash
from toolrouter.guard.pins import launch_of
from toolrouter.types import JsonObject, Server, Status, Tool

if TYPE_CHECKING:
    from toolrouter.catalog.live import LiveCatalog
    from toolrouter.config import UpstreamSpec
    from toolrouter.guard.scan import Finding, ScanContext, Verdict
    from toolrouter.types import Decision

WAITING: Final = (Status.PENDING, Status.WITHDRAWN)
MAX_LINES: Final = 400


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that waits: a tool, or what a server says of itself."""

    server: str
    kind: str
    """`tool` or `instructions`."""
    name: str
    """As it is decided on: a tool's id, or the alias."""
    status: str
    reason: str
    hash: str
    tool: Tool | None
    said: JsonObject
    before: JsonObject | None
    """What was approved last under this name; None when nothing was."""
    findings: tuple[Finding, ...]
    tier: str
    collisions: tuple[str, ...]
    """Tools of other servers that it is easily taken for."""

    def diff(self) -> list[str]:
        """Lines with `+`, `-` or a blank in front: all of it where there was nothing before."""
        new = written(self.said)
        if self.before is None:
            return [f"+{line}" for line in new][:MAX_LINES]
        lines = difflib.unified_diff(written(self.before), new, lineterm="", n=1)
        return [line for line in lines if not line.startswith(("---", "+++", "@@"))][:MAX_LINES]

    def as_json(self) -> JsonObject:
        return {
            "server": self.server,
            "kind": self.kind,
            "name": self.name,
            "status": self.status,
            "reason": self.reason,
            "hash": self.hash,
            "tier": self.tier,
            "findings": [finding.as_json() for finding in self.findings],
            "collisions": list(self.collisions),
            "diff": self.diff(),
        }


@dataclass(frozen=True, slots=True)
class Dossier:
    """Everything of one server that waits."""

    server: str
    launch: JsonObject
    """What is started or reached, whole."""
    launched_before: JsonObject | None
    """How it was started before, when that was different."""
    items: tuple[Item, ...]

    def as_json(self) -> JsonObject:
        items = [item.as_json() for item in self.items]
        return {"server": self.server, "launch": self.launch, "launched_before": self.launched_before, "items": items}


def dossiers(live: LiveCatalog, specs: Mapping[str, UpstreamSpec], aliases: Iterable[str] = ()) -> list[Dossier]:
    """Returns what waits, by server; of these servers alone when some are named.

    Raises:
        StoreError: what was approved before cannot be read.
    """
    from toolrouter.guard.scan import build_context

    tools = list(live.snapshot.tools.values())
    context = build_context(tools)
    decisions = _by_server(live.decisions())
    wanted = set(aliases) or set(live.snapshot.servers)
    found = []
    for alias in sorted(wanted & set(specs)):
        maker = _Maker(live, decisions.get(alias, []), context)
        items = maker.items(alias)
        if items:
            launch = launch_of(specs[alias])
            before = maker.last(LAUNCH)
            found.append(Dossier(alias, launch, before if before != launch else None, items))
    return found


def written(value: JsonObject) -> list[str]:
    """Returns a definition as lines that show every character: what is invisible or confusable is spelt out."""
    from toolrouter.guard.scan import make_visible

    text = json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True)
    return [spelt_out(make_visible(line)) for line in text.split("\n")]


def spelt_out(line: str) -> str:
    """Returns a line whose words of mixed scripts show which letters are not what they seem."""
    from toolrouter.guard.scan.characters import find_mixed_words

    for start, end in reversed(find_mixed_words(line)):
        word = "".join(char if char.isascii() else f"\\u{{{ord(char):04X}}}" for char in line[start:end])
        line = line[:start] + word + line[end:]
    return line


class _Maker:
    def __init__(self, live: LiveCatalog, decisions: list[Decision], context: ScanContext) -> None:
        self._live = live
        self._approved = {made.name: made.hash for made in decisions if made.approved}
        self._decisions = decisions
        self._context = context

    def last(self, name: str) -> JsonObject | None:
        """The definition approved last under a name."""
        known = self._approved.get(name)
        return self._live.definition(known) if known else None

    def items(self, alias: str) -> tuple[Item, ...]:
        waiting = [tool for tool in self._live.snapshot.by_server(alias) if tool.status in WAITING]
        return (*self._saying(self._live.heard(alias)), *map(self._tool, waiting))

    def _tool(self, tool: Tool) -> Item:
        verdict = self._scan(tool.raw, tool.server, "tool")
        mine = skeleton(tool.name)
        twins = tuple(
            other.id
            for other in self._live.snapshot.tools.values()
            if other.id != tool.id and skeleton(other.name) == mine
        )
        before = self.last(tool.name)
        parts = (tool.server, "tool", tool.id, tool.status.value, tool.reason, tool.hash, tool, tool.raw, before)
        return Item(*parts, verdict.findings, verdict.tier.value, twins)

    def _saying(self, server: Server) -> list[Item]:
        said = saying(server)
        known = saying_hash(said)
        latest = next((made for made in reversed(self._decisions) if (made.name, made.hash) == (SAYING, known)), None)
        if not said or (latest and (latest.approved or latest.by != "scanner")):
            return []
        verdict = self._scan(said, server.alias, "instructions")
        before = self.last(SAYING)
        status = Status.WITHDRAWN if before else Status.PENDING
        why = "what it says of itself is not shown"
        parts = (server.alias, "instructions", server.alias, status.value, why, known, None, said, before)
        return [Item(*parts, verdict.findings, verdict.tier.value, ())]

    def _scan(self, raw: JsonObject, alias: str, kind: str) -> Verdict:
        from toolrouter.guard.scan import scan_definition

        return scan_definition(raw, server=alias, kind=kind, context=self._context)


def _by_server(decisions: Iterable[Decision]) -> dict[str, list[Decision]]:
    found: dict[str, list[Decision]] = {}
    for made in decisions:
        found.setdefault(made.server, []).append(made)
    return found

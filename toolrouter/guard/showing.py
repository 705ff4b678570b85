"""What a person needs to decide: what is started, what changed, what the scanner says. As values, for any screen."""

from __future__ import annotations

import difflib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from toolrouter.catalog.naming import skeleton
from toolrouter.catalog.saying import LAUNCH
from toolrouter.guard.pins import launch_of
from toolrouter.guard.subjects import LAUNCHED, TOOL, Subject, scanned_as, subjects
from toolrouter.types import JsonObject

if TYPE_CHECKING:
    from toolrouter.catalog.live import LiveCatalog
    from toolrouter.config import UpstreamSpec
    from toolrouter.guard.scan import Finding, ScanContext, Verdict
    from toolrouter.types import Decision

_LINE_CHARS: Final = 160
CONTINUED: Final = "⋮ "
"""Before what goes on from the line above."""
_PIECE: Final = re.compile(r".{0,1000}?(?:\\n|[.!?;] )|.{1,1000}")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that waits, with what a person should know of it."""

    subject: Subject
    before: JsonObject | None
    """What was approved last under this name; None when nothing was."""
    findings: tuple[Finding, ...]
    tier: str
    collisions: tuple[str, ...]
    """Tools of other servers that it is easily taken for."""

    def diff(self) -> list[str]:
        """Lines with `+`, `-` or a blank in front: all of it where there was nothing before."""
        new = written(self.subject.said)
        if self.before is None:
            return [f"+{line}" for line in new]
        lines = list(difflib.unified_diff(written(self.before), new, lineterm="", n=1))
        return [line for line in lines[2:] if not line.startswith("@@")]

    def as_json(self) -> JsonObject:
        subject = self.subject
        return {
            "server": subject.server,
            "kind": subject.kind,
            "name": subject.id,
            "status": subject.status.value,
            "reason": subject.reason,
            "hash": subject.hash,
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

    launches = {alias: launch_of(spec) for alias, spec in specs.items()}
    waiting: dict[str, list[Subject]] = {}
    for subject in subjects(live, launches, list(aliases)):
        if subject.waits and subject.server in specs:
            waiting.setdefault(subject.server, []).append(subject)
    context = build_context(list(live.snapshot.tools.values()))
    decisions = _by_server(live.decisions())
    found = []
    for alias, mine in waiting.items():
        maker = _Maker(live, decisions.get(alias, []), context)
        before = maker.last(LAUNCH)
        items = tuple(map(maker.item, mine))
        found.append(Dossier(alias, launches[alias], before if before != launches[alias] else None, items))
    return found


def attacks(live: LiveCatalog, shown: Iterable[Subject]) -> list[tuple[Subject, Finding]]:
    """Returns what the scanner takes for an attack in these definitions, whatever their status."""
    from toolrouter.guard.scan import Tier, build_context

    maker = _Maker(live, [], build_context(list(live.snapshot.tools.values())))
    read = [subject for subject in shown if subject.kind != LAUNCHED]
    found = ((subject, finding) for subject in read for finding in maker.scan(subject).findings)
    return [(subject, finding) for subject, finding in found if finding.tier is Tier.BLOCK]


def written(value: JsonObject) -> list[str]:
    """Returns a definition as lines that show every character: what is invisible or confusable is spelt out."""
    from toolrouter.guard.scan import make_visible

    text = json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True)
    return [piece for line in text.split("\n") for piece in _folded(spelt_out(make_visible(line)))]


def _folded(line: str) -> list[str]:
    """A long line in pieces that end where its sentences do, so that a change in the middle of a text can be seen."""
    if len(line) <= _LINE_CHARS:
        return [line]
    head, *rest = _PIECE.findall(line)
    return [head, *(f"{CONTINUED}{piece}" for piece in rest)]


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
        self._context = context
        self._by_skeleton: dict[str, list[str]] = defaultdict(list)
        for tool in live.snapshot.tools.values():
            self._by_skeleton[skeleton(tool.name)].append(tool.id)

    def last(self, name: str) -> JsonObject | None:
        """The definition approved last under a name."""
        known = self._approved.get(name)
        return self._live.definition(known) if known else None

    def item(self, subject: Subject) -> Item:
        verdict = self.scan(subject) if subject.kind != LAUNCHED else None
        findings, tier = (verdict.findings, verdict.tier.value) if verdict else ((), "clean")
        return Item(subject, self.last(subject.name), findings, tier, self._twins(subject))

    def _twins(self, subject: Subject) -> tuple[str, ...]:
        if subject.kind != TOOL:
            return ()
        return tuple(other for other in self._by_skeleton.get(skeleton(subject.name), ()) if other != subject.id)

    def scan(self, subject: Subject) -> Verdict:
        from toolrouter.guard.scan import scan_definition

        kind = scanned_as(subject)
        return scan_definition(subject.said, server=subject.server, kind=kind, context=self._context)


def _by_server(decisions: Iterable[Decision]) -> dict[str, list[Decision]]:
    found: dict[str, list[Decision]] = {}
    for made in decisions:
        found.setdefault(made.server, []).append(made)
    return found

"""What decisions are about: every tool, prompt, resource and template, what a server says of itself, how it is started.

Each with the status that the decisions give it and in one form, so that nothing can be shown, scanned or decided on by
other rules than the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from toolrouter.catalog.live import HELD, STARTED_OTHERWISE
from toolrouter.catalog.offers import offers_of
from toolrouter.catalog.saying import LAUNCH, SAYING, saying, saying_hash
from toolrouter.guard.fingerprint import fingerprint
from toolrouter.types import JsonObject, Status

if TYPE_CHECKING:
    from toolrouter.catalog.live import Facts, LiveCatalog

TOOL: Final = "tool"
INSTRUCTIONS: Final = "instructions"
LAUNCHED: Final = "launch"
WAITING: Final = (Status.PENDING, Status.WITHDRAWN)
_UNSEEN: Final = "no one has looked at it yet"
_CHANGED: Final = "it is not what was approved or rejected under this name"
_MUTED: Final = "what it says of itself is not shown"


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing that is approved or not."""

    server: str
    kind: str
    """`tool`, `prompt`, `resource`, `template`, `instructions` or `launch`."""
    id: str
    """What a person calls it: a qualified name or URI, or the alias."""
    name: str
    """The name under which decisions on it are recorded."""
    hash: str
    said: JsonObject = field(repr=False, compare=False)
    status: Status
    reason: str = ""
    cost_tokens: int = 0

    @property
    def waits(self) -> bool:
        return self.status in WAITING


def subjects(live: LiveCatalog, launches: Mapping[str, JsonObject], aliases: Collection[str] = ()) -> list[Subject]:
    """Returns everything of these servers, or of all, in the order in which a person should look at it.

    `launches`: how each server is started now (`pins.launch_of`).
    """
    found: list[Subject] = []
    for alias in sorted(aliases or live.snapshot.servers):
        facts = live.facts(alias)
        found.extend(_launch(alias, launches.get(alias), facts))
        found.extend(_saying(live, alias, facts))
        found.extend(_tools(live, alias))
        found.extend(_offers(live, alias, facts))
    return found


def _launch(alias: str, launch: JsonObject | None, facts: Facts) -> Iterator[Subject]:
    """Once it was recorded: before that, the server was never started."""
    if launch is None or not facts.decided(LAUNCH):
        return
    known = fingerprint(launch)
    status, reason = _decided(facts, LAUNCH, known, _CHANGED)
    if status in WAITING and not facts.withheld:
        return  # it is recorded when the server is started so
    yield Subject(alias, LAUNCHED, alias, LAUNCH, known, launch, status, reason)


def _saying(live: LiveCatalog, alias: str, facts: Facts) -> Iterator[Subject]:
    said = saying(live.heard(alias))
    if said:
        known = saying_hash(said)
        status, reason = _decided(facts, SAYING, known, _MUTED)
        yield Subject(alias, INSTRUCTIONS, alias, SAYING, known, said, status, reason)


def _tools(live: LiveCatalog, alias: str) -> Iterator[Subject]:
    for tool in live.snapshot.by_server(alias):
        parts = (tool.hash, tool.raw, tool.status, tool.reason, tool.tokens)
        yield Subject(alias, TOOL, tool.id, tool.name, *parts)


def _offers(live: LiveCatalog, alias: str, facts: Facts) -> Iterator[Subject]:
    for offer in offers_of(live.heard(alias)):
        why = _CHANGED if facts.decided(offer.decided_as) else _UNSEEN
        status, reason = _decided(facts, offer.decided_as, offer.hash, why)
        yield Subject(alias, offer.kind.value, offer.id, offer.decided_as, offer.hash, offer.raw, status, reason)


def _decided(facts: Facts, name: str, known: str, why: str) -> tuple[Status, str]:
    """The status that the decisions alone give; `why` it waits otherwise."""
    if known in facts.rejected.get(name, ()):
        return Status.REJECTED, "a person rejected it"
    if facts.withheld and name != LAUNCH:
        return Status.WITHDRAWN, STARTED_OTHERWISE
    if known in facts.approved.get(name, ()):
        return Status.APPROVED, ""
    if known in facts.held.get(name, ()):
        return Status.WITHDRAWN, HELD
    return (Status.WITHDRAWN if facts.decided(name) else Status.PENDING), why


SCANNED_AS: Final = {"resource": "resource", "template": "resource template"}


def scanned_as(subject: Subject) -> str:
    """What the scanner is told that it is."""
    return SCANNED_AS.get(subject.kind, subject.kind)

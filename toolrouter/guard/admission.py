"""Decides what becomes of each definition of a listing. Pure: the same listing and facts give the same verdict.

A definition is approved when a decision approves its hash, and by no other way. The trust mode may take that
decision for the person:

- `trust-on-first-use`: for a name that nothing was ever decided about. What changes under a known name waits. (A
  poisoned update could come under a new name: whoever minds that more than waiting at each release of a server
  chooses `review-new`.)
- `review-new`: never.
- `trust`: for every definition that a person has not rejected, but for changed ones that the scanner stumbles over.

No mode admits a name that is easily taken for another tool of the same server, nor what the scanner takes for an
attack; a person may. The scanner is asked only about what a mode is about to approve.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

from toolrouter.catalog.decisions import CONFIG, FIRST_USE, SAME_BUT_IGNORED, TRUSTED
from toolrouter.catalog.live import HELD, STARTED_OTHERWISE, Admit, Facts, Verdict
from toolrouter.catalog.naming import skeleton, tool_id
from toolrouter.catalog.offers import Kind, offers_of
from toolrouter.catalog.plain import plain
from toolrouter.catalog.saying import LAUNCH, SAYING, saying, saying_hash
from toolrouter.catalog.tokens import definition_tokens
from toolrouter.config import Settings, TrustMode
from toolrouter.guard.fingerprint import examine, fingerprint
from toolrouter.guard.inspection import BLOCK, CLEAN, Inspection
from toolrouter.guard.pins import launch_of, pinned_part
from toolrouter.types import Decision, Listing, Refusal, Server, Status, Tool

if TYPE_CHECKING:
    from toolrouter.types import JsonObject

MAX_NAME_CHARS: Final = 512
MAX_OFFERS: Final = 2_000
"""So many prompts, resources and templates of one server are decided about; further ones are not shown."""

_CHANGED: Final = "its definition is not the one that was approved or rejected"
_ADDED: Final = "the server did not have it when it was approved"
_NEW: Final = "no one has looked at it yet"
_LOST: Final = "the record of approvals was lost or damaged"
_TWIN: Final = "its name is easily taken for that of another tool of this server"
_REJECTED: Final = "a person rejected this definition"
ATTACK: Final = "the scanner takes it for an attack"
_SUSPECT: Final = "its definition changed, and the scanner found something to look at"
NOTED: Final = "the scanner found something to look at"
_SCANNED: Final = frozenset({ATTACK, _SUSPECT})
_SCANNED_AS: Final = {Kind.PROMPT: "prompt", Kind.RESOURCE: "resource", Kind.TEMPLATE: "resource template"}


@dataclass(frozen=True, slots=True)
class Rules:
    """What the config says about admission."""

    mode: TrustMode
    settings: Settings | None = None
    """Which fields the pins leave out, and how servers are started; None where neither matters."""

    def ignored(self, alias: str) -> Sequence[str]:
        return self.settings.options(alias).pin_ignore if self.settings else ()


def admitter(mode: TrustMode, clock: Callable[[], float] = time.time, *, settings: Settings | None = None) -> Admit:
    """Returns `admit` for one trust mode, as `LiveCatalog` wants it."""
    return partial(_admit_now, rules=Rules(mode, settings), clock=clock)


def admit(listing: Listing, facts: Facts, rules: Rules | TrustMode, *, at: float) -> Verdict:
    """Returns a listing's tools with their statuses, the decisions the mode takes, and what cannot be served."""
    rules = rules if isinstance(rules, Rules) else Rules(rules)
    alias = listing.server.alias
    drafts, refused = _drafts(listing, rules.ignored(alias))
    judge = _Judge(alias, facts, rules.mode, _twins(draft.name for draft in drafts), drafts)
    tools, decisions = [], []
    for draft in drafts:
        status, reason = judge.status(draft)
        tools.append(_tool(alias, draft, status, reason, facts))
        if status is Status.APPROVED and draft.hash not in facts.approved.get(draft.name, ()):
            by = judge.decides_as(draft)
            decisions.append(Decision(alias, draft.name, draft.hash, approved=True, by=by, at=at, said=draft.raw))
    tools.extend(_refused_tools(refused, {tool.name for tool in tools}))
    decisions += judge.decide_saying(listing.server, at) + _note_launch(alias, rules.settings, facts, at)
    decisions.extend(_offers_decided(listing, facts, judge, at))
    return Verdict(tools, decisions, refused)


def _offers_decided(listing: Listing, facts: Facts, judge: _Judge, at: float) -> Iterator[Decision]:
    """What the mode decides about prompts, resources and templates that no one has decided about."""
    for offer in islice(offers_of(listing.server), MAX_OFFERS):
        draft = _Draft(offer.decided_as, offer.raw, offer.hash, offer.hash)
        status, _ = judge.status(draft, _SCANNED_AS[offer.kind])
        if status is Status.APPROVED and offer.hash not in facts.approved.get(draft.name, ()):
            by = judge.decides_as(draft)
            yield Decision(offer.server, draft.name, offer.hash, approved=True, by=by, at=at, said=offer.raw)


def _admit_now(listing: Listing, facts: Facts, *, rules: Rules, clock: Callable[[], float]) -> Verdict:
    return admit(listing, facts, rules, at=clock())


@dataclass(frozen=True, slots=True)
class _Draft:
    name: str
    raw: JsonObject
    hash: str
    """Of what the pin covers."""
    whole: str
    """Of everything."""


def _drafts(listing: Listing, ignored: Sequence[str]) -> tuple[list[_Draft], list[Refusal]]:
    drafts: dict[str, _Draft] = {}
    refused = list(listing.refused)
    names = Counter(raw["name"] for raw in listing.tools if isinstance(raw.get("name"), str))
    for raw in listing.tools:
        name = raw.get("name")
        examined = examine(raw)
        fault = _name_fault(name) or examined.fault
        # Which of two the server means cannot be known, and the last one must not win.
        if not fault and names[name] > 1:
            fault = "the server lists this name more than once"
        if fault:
            shown = plain(name, MAX_NAME_CHARS) if isinstance(name, str) else ""
            refused.append(Refusal(listing.server.alias, shown, fault))
        elif isinstance(name, str):
            pinned = fingerprint(pinned_part(raw, ignored)) if ignored else examined.hash
            drafts[name] = _Draft(name, raw, pinned, examined.hash)
    return list(drafts.values()), refused


def _name_fault(name: object) -> str:
    if not isinstance(name, str) or not name.strip():
        return "has no name"
    if len(name) > MAX_NAME_CHARS:
        return f"has a name of more than {MAX_NAME_CHARS} characters"
    return ""


def _twins(names: Iterable[str]) -> frozenset[str]:
    """Returns the names that share their skeleton with another one."""
    skeletons = {name: skeleton(name) for name in names}
    seen = Counter(skeletons.values())
    return frozenset(name for name, found in skeletons.items() if seen[found] > 1)


class _Judge:
    """Decides on the items of one listing."""

    def __init__(
        self, alias: str, facts: Facts, mode: TrustMode, twins: frozenset[str], drafts: Sequence[_Draft]
    ) -> None:
        own = [Tool(tool_id(alias, draft.name), alias, draft.name, draft.raw, draft.hash, 0) for draft in drafts]
        self._facts = facts
        self._mode = mode
        self._twins = twins
        self._inspection = Inspection(alias, own, facts.others)

    def status(self, draft: _Draft, kind: str = "tool") -> tuple[Status, str]:
        """The status of one definition and why; `kind` is what the scanner is told that it is."""
        facts, name = self._facts, draft.name
        known = facts.previous.get(name)
        same = known is not None and known.hash == draft.hash
        if draft.hash in facts.rejected.get(name, ()):
            return Status.REJECTED, _REJECTED
        if facts.withheld:
            return Status.WITHDRAWN, STARTED_OTHERWISE
        if draft.hash in facts.approved.get(name, ()):
            return Status.APPROVED, known.reason if known and same and known.status is Status.APPROVED else ""
        if draft.hash in facts.held.get(name, ()):
            return Status.WITHDRAWN, HELD
        if draft.whole in facts.approved.get(name, ()):
            return Status.APPROVED, ""
        if name in self._twins:
            return Status.PENDING, _TWIN
        if known and same and known.reason in _SCANNED:
            return known.status, known.reason
        return self._unknown(name, kind, draft.raw)

    def _unknown(self, name: str, kind: str, raw: JsonObject) -> tuple[Status, str]:
        """What becomes of a definition that nothing was decided about."""
        facts = self._facts
        is_change = facts.decided(name)
        if self._mode is not TrustMode.TRUST:
            if is_change:
                return Status.WITHDRAWN, _CHANGED
            if facts.approvals_lost:
                return Status.PENDING, _LOST
            if self._mode is TrustMode.REVIEW_NEW:
                return Status.PENDING, _ADDED if facts.approved or facts.rejected else _NEW
        waiting = Status.WITHDRAWN if is_change else Status.PENDING
        tier = self._inspection.tier(kind, raw)
        if tier == BLOCK:
            return waiting, ATTACK
        if tier != CLEAN and is_change:
            return waiting, _SUSPECT
        return Status.APPROVED, "" if tier == CLEAN else NOTED

    def decides_as(self, draft: _Draft) -> str:
        if draft.whole in self._facts.approved.get(draft.name, ()):
            return SAME_BUT_IGNORED
        return self._mode_name

    def decide_saying(self, server: Server, at: float) -> list[Decision]:
        """The decision on what a server says of itself, when the mode takes one; until then nothing of it is shown."""
        said = saying(server)
        if not said or self._facts.withheld:
            return []
        known = saying_hash(said)
        if any(
            known in group.get(SAYING, ()) for group in (self._facts.approved, self._facts.rejected, self._facts.held)
        ):
            return []
        status, _ = self._unknown(SAYING, "instructions", said)
        if status is not Status.APPROVED:
            return []
        return [Decision(server.alias, SAYING, known, approved=True, by=self._mode_name, at=at, said=said)]

    @property
    def _mode_name(self) -> str:
        return TRUSTED if self._mode is TrustMode.TRUST else FIRST_USE


def _note_launch(alias: str, settings: Settings | None, facts: Facts, at: float) -> list[Decision]:
    """A record of how the server was started, when it was never started so before and needs no review."""
    spec = settings.servers.get(alias) if settings else None
    if spec is None or facts.withheld:
        return []
    launch = launch_of(spec)
    known = fingerprint(launch)
    if known in facts.approved.get(LAUNCH, ()):
        return []
    return [Decision(alias, LAUNCH, known, approved=True, by=CONFIG, at=at, said=launch)]


def _tool(alias: str, draft: _Draft, status: Status, reason: str, facts: Facts) -> Tool:
    known = facts.previous.get(draft.name)
    tokens = known.tokens if known and known.hash == draft.hash else definition_tokens(draft.raw)
    raw = draft.raw
    if status is Status.APPROVED and draft.hash != draft.whole:
        # What the pin leaves out is shown as it was approved, whatever the server says there now.
        raw = facts.kept(draft.hash) or raw
    return Tool(tool_id(alias, draft.name), alias, draft.name, raw, draft.hash, tokens, status, reason)


def _refused_tools(refused: Iterable[Refusal], taken: set[str]) -> list[Tool]:
    """Returns what cannot be served as tools without a definition, so that a person sees why one is missing."""
    tools = {}
    for refusal in refused:
        if refusal.name and refusal.name not in taken:
            tools[refusal.name] = Tool(
                tool_id(refusal.server, refusal.name),
                refusal.server,
                refusal.name,
                raw={},
                hash="",
                tokens=0,
                status=Status.REFUSED,
                reason=refusal.reason,
            )
    return list(tools.values())

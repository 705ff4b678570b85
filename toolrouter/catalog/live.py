"""The catalog of a running process: takes in listings, swaps snapshots, saves, and follows other processes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from toolrouter.catalog.decisions import hashes, held_hashes, vetted_hashes
from toolrouter.catalog.diff import Changes, diff, diff_tools
from toolrouter.catalog.offers import Offer, approved_offers
from toolrouter.catalog.saying import LAUNCH, SAYING, muted, saying, saying_hash
from toolrouter.catalog.snapshot import Catalog, build_catalog, replace_server
from toolrouter.errors import StoreError
from toolrouter.types import Decision, JsonObject, Listing, Refusal, Server, Status, Tool

if TYPE_CHECKING:
    from toolrouter.ports import Store

logger = logging.getLogger(__name__)

HELD = "a check found an attack in it, or that it would win far too many searches: a person must decide"
STARTED_OTHERWISE = "the way its server is started changed since that was approved"

Hashes = Mapping[str, frozenset[str]]
"""Tool name to definition hashes."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a server before its listing is judged."""

    previous: Mapping[str, Tool] = field(default_factory=dict)
    """Its tools by upstream name, as last listed."""
    approved: Hashes = field(default_factory=dict)
    rejected: Hashes = field(default_factory=dict)
    approvals_lost: bool = False
    """Whether decisions may be missing: then nothing is new merely because nothing is known of it."""
    held: Hashes = field(default_factory=dict)
    """What waits because the scanner took back an approval that no person gave."""
    vetted: Hashes = field(default_factory=dict)
    """What a person approved."""
    others: Sequence[Tool] = ()
    """The tools of all other servers, whatever their status: what a definition says is judged beside them."""
    kept: Callable[[str], JsonObject | None] = field(default=lambda _hash: None, repr=False)
    """Returns the definition of a hash as it was when it was approved."""

    withheld: bool = False
    """Whether the server is started in a way that awaits review: then nothing of it may be seen, approved or not."""

    def decided(self, name: str) -> bool:
        """Whether anything was ever decided about this name."""
        return bool(self.approved.get(name) or self.rejected.get(name) or self.held.get(name))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a listing's definitions."""

    tools: Sequence[Tool] = ()
    decisions: Sequence[Decision] = ()
    """What the trust mode decided for the person, to be recorded."""
    refused: Sequence[Refusal] = ()


Admit = Callable[[Listing, Facts], Verdict]
Permitted = Callable[[Tool], bool]
PermitsOffer = Callable[[Offer], bool]
Withhold = Callable[[str, frozenset[str]], bool]
"""`(alias, approved launch specs)`: whether the way the server is started now awaits review."""


class LiveCatalog:
    """Thread-safe. Reading `snapshot` never waits; everything else may wait for the disk."""

    def __init__(
        self,
        store: Store,
        admit: Admit,
        permitted: Permitted,
        aliases: Collection[str],
        permits_offer: PermitsOffer = lambda offer: True,
        withhold: Withhold = lambda alias, approved: False,
    ) -> None:
        """Reads the last known state. Servers outside `aliases` stay in the store and out of the snapshot.

        Raises:
            StoreError: the store cannot be read.
        """
        self.on_change: list[Callable[[Changes], None]] = []
        """Called after each swap that changed something, in the thread that changed it, outside any lock."""
        self._store = store
        self._admit = admit
        self._permitted = permitted
        self._permits_offer = permits_offer
        self._withhold = withhold
        self._aliases = frozenset(aliases)
        self._lock = threading.Lock()
        self._unsaved: dict[str, _Unsaved] = {}
        self._version = store.version()
        self._facts: dict[str, Facts] = {}
        self._snapshot = Catalog()
        self._heard: dict[str, Server] = {}
        self._snapshot = self._load()

    @property
    def snapshot(self) -> Catalog:
        return self._snapshot

    @property
    def saved_version(self) -> int | None:
        """The store's version that the snapshot shows; None while some of it is not saved."""
        with self._lock:
            return None if self._unsaved else self._version

    def heard(self, alias: str) -> Server:
        """A server with everything it says of itself, approved or not. For the person, never for a host."""
        return self._heard.get(alias, Server(alias))

    def facts(self, alias: str) -> Facts:
        """What is known and decided about a server, as of the last look into the store."""
        return self._facts.get(alias, Facts())

    def definition(self, definition_hash: str) -> JsonObject | None:
        """A definition as it was when it was approved. Raises StoreError."""
        return self._store.definition(definition_hash)

    def decisions(self) -> Sequence[Decision]:
        """Every decision, oldest first. Raises StoreError."""
        return self._store.decisions()

    def absorb(self, listing: Listing) -> Changes:
        """Takes in what an upstream listed: judges, saves and shows it.

        A store that fails costs only the saving, which the next call tries again: the snapshot is swapped, and
        `problem` of the result says what happened. Never raises for what a listing holds.
        """
        alias = listing.server.alias
        if alias not in self._aliases:
            return Changes(refused=tuple(listing.refused))
        with self._lock:
            facts, problem = self._facts_of(alias)
            others = tuple(tool for tool in self._snapshot.tools.values() if tool.server != alias)
            verdict = self._admit(listing, replace(facts, others=others, kept=self._kept))
            tools, taken = _without_taken_ids(verdict.tools, self._snapshot)
            self._unsaved[alias] = _Unsaved(listing.server, tools, (*self._undecided(alias), *verdict.decisions))
            problem = self._save() or problem
            # Enough to go by when the next look into the store fails.
            approved = _with(facts.approved, verdict.decisions)
            self._facts[alias] = replace(facts, previous={tool.name: tool for tool in tools}, approved=approved)
            changes = self._swap(self._hear(listing.server), tools)
            changes = replace(changes, refused=(*verdict.refused, *taken), problem=problem)
        self._tell(changes)
        return changes

    def decide(self, server: str, name: str, definition_hash: str, *, said: JsonObject, approve: bool, by: str) -> None:
        """Records a decision on the definition that a person saw; `reload` brings the snapshot up to date.

        Raises:
            StoreError: it could not be saved.
        """
        self._store.decide(server, name, definition_hash, approve=approve, by=by, said=said)

    def apply(
        self,
        admit: Admit,
        permitted: Permitted,
        aliases: Collection[str],
        permits_offer: PermitsOffer | None = None,
        withhold: Withhold | None = None,
    ) -> None:
        """Goes on with other rules and other servers; what the store knows of new ones is shown at once.

        Raises:
            StoreError: the store cannot be read; the snapshot stays until a later reload.
        """
        with self._lock:
            self._admit, self._permitted, self._aliases = admit, permitted, frozenset(aliases)
            self._permits_offer = permits_offer or self._permits_offer
            self._withhold = withhold or self._withhold
            before = self._snapshot
            self._version = self._store.version()
            self._snapshot = self._load()
            changes = diff(before, self._snapshot)
        self._tell(changes)

    def note_server(self, server: Server) -> None:
        """Remembers what else is known of an upstream, such as its last error. A failing store is logged only."""
        if server.alias not in self._aliases:
            return
        with self._lock:
            before = self._snapshot
            # A snapshot holds only what may be shown: the rest must not be lost with it.
            server = replace(self._heard.get(server.alias, server), error=server.error)
            shown = self._hear(server)
            self._snapshot = replace(before, servers={**before.servers, server.alias: shown})
            try:
                self._store.save_server(server)
                self._follow_own_change()
            except StoreError as error:
                logger.warning("%s", error)

    def reload(self) -> bool:
        """Takes over what another process changed in the store; returns whether anything did.

        Raises:
            StoreError: the store cannot be read; the snapshot stays.
        """
        with self._lock:
            version = self._store.version()
            if version == self._version:
                return False
            before = self._snapshot
            self._snapshot = self._load()
            self._version = version
            changes = diff(before, self._snapshot)
        self._tell(changes)
        return True

    def _swap(self, server: Server, tools: Sequence[Tool]) -> Changes:
        before = self._snapshot = replace(self._snapshot, offers=self._with_offers(self.heard(server.alias)))
        old = {tool.id: tool for tool in before.tools.values() if tool.server == server.alias}
        new = {tool.id: tool for tool in sorted(tools, key=lambda tool: tool.id)}
        changes = diff_tools(old, new)
        if not changes:
            # The usual case, at every refresh.
            self._snapshot = replace(before, servers={**before.servers, server.alias: server})
            return changes
        self._snapshot = replace_server(before, server, new.values(), self._permitted)
        return replace(changes, visible_changed=before.visible != self._snapshot.visible)

    def _with_offers(self, *servers: Server) -> Mapping[str, tuple[Offer, ...]]:
        """The offers of all servers, judged anew for these."""
        found = dict(self._snapshot.offers)
        for server in servers:
            facts = self._facts[server.alias]
            offers = () if facts.withheld else approved_offers(server, facts.approved, facts.rejected)
            found[server.alias] = tuple(filter(self._permits_offer, offers))
        return found

    def _load(self) -> Catalog:
        stored = [tool for tool in self._store.tools() if tool.server not in self._unsaved]
        unsaved = [tool for listing in self._unsaved.values() for tool in listing.tools]
        by_alias: dict[str, list[Tool]] = {alias: [] for alias in self._aliases}
        for tool in (*stored, *unsaved):
            if tool.server in by_alias:
                by_alias[tool.server].append(tool)
        servers = {**self._store.servers(), **{alias: listing.server for alias, listing in self._unsaved.items()}}
        decisions: dict[str, list[Decision]] = {alias: [] for alias in self._aliases}
        for decision in self._store.decisions():
            if decision.server in decisions:
                decisions[decision.server].append(decision)
        lost = self._store.approvals_lost()
        facts = {alias: self._facts_from(alias, tools, decisions[alias], lost) for alias, tools in by_alias.items()}
        shown = [_restated(tool, facts[alias]) for alias, tools in by_alias.items() for tool in tools]
        self._facts = facts
        known = [servers.get(alias, Server(alias)) for alias in by_alias]
        self._snapshot = build_catalog([self._hear(server) for server in known], shown, self._permitted)
        return replace(self._snapshot, offers=self._with_offers(*known))

    def _hear(self, server: Server) -> Server:
        """Remembers a server, and returns it as it may be shown."""
        self._heard[server.alias] = server
        said = saying(server)
        facts = self._facts.get(server.alias, Facts())
        may_speak = saying_hash(said) in facts.approved.get(SAYING, ()) and not facts.withheld
        return server if not said or may_speak else muted(server)

    def _kept(self, definition_hash: str) -> JsonObject | None:
        try:
            return self._store.definition(definition_hash)
        except StoreError as error:
            logger.warning("%s", error)
            return None

    def _facts_of(self, alias: str) -> tuple[Facts, str]:
        """Reads the latest decisions; when that fails, what was known last holds, and nothing counts as new."""
        last = self._facts[alias]
        try:
            decisions, lost = self._store.decisions(alias), self._store.approvals_lost()
        except StoreError as error:
            return replace(last, approvals_lost=True), str(error)
        return self._facts_from(alias, last.previous.values(), decisions, lost), ""

    def _facts_from(self, alias: str, tools: Iterable[Tool], decisions: Iterable[Decision], lost: bool) -> Facts:
        # What is not saved yet overrules nothing that is.
        known = [*self._undecided(alias), *decisions]
        previous = {tool.name: tool for tool in tools}
        approved, rejected = hashes(known, approved=True), hashes(known, approved=False)
        withheld = self._withhold(alias, approved.get(LAUNCH, frozenset()))
        return Facts(previous, approved, rejected, lost, held_hashes(known), vetted_hashes(known), withheld=withheld)

    def _undecided(self, alias: str) -> tuple[Decision, ...]:
        unsaved = self._unsaved.get(alias)
        return unsaved.decisions if unsaved else ()

    def _save(self) -> str:
        """Saves every listing that is not saved yet; returns what went wrong."""
        for alias, listing in list(self._unsaved.items()):
            try:
                self._store.save_listing(listing.server, listing.tools, listing.decisions)
                del self._unsaved[alias]
                self._follow_own_change()
            except StoreError as error:
                logger.warning("The tools of %s are served but not saved: %s", alias, error)
                return str(error)
        return ""

    def _follow_own_change(self) -> None:
        # Further ahead than by our own step, another process has written too: the next reload must see it.
        if self._store.version() == self._version + 1:
            self._version += 1

    def _tell(self, changes: Changes) -> None:
        if changes or changes.visible_changed:
            for callback in self.on_change:
                callback(changes)


@dataclass(frozen=True, slots=True)
class _Unsaved:
    """A listing that is in effect but not on disk."""

    server: Server
    tools: Sequence[Tool]
    decisions: tuple[Decision, ...]


def _with(approved: Hashes, decisions: Iterable[Decision]) -> Hashes:
    more = dict(approved)
    for decision in decisions:
        more[decision.name] = more.get(decision.name, frozenset()) | {decision.hash}
    return more


def _restated(tool: Tool, facts: Facts) -> Tool:
    """Gives a stored definition the status that the decisions give it: they are what counts."""
    if tool.status is Status.REFUSED:
        return tool
    if tool.hash in facts.rejected.get(tool.name, ()):
        return tool if tool.status is Status.REJECTED else replace(tool, status=Status.REJECTED, reason="rejected")
    if facts.withheld:
        return replace(tool, status=Status.WITHDRAWN, reason=STARTED_OTHERWISE)
    if tool.hash in facts.approved.get(tool.name, ()):
        return tool if tool.status is Status.APPROVED else replace(tool, status=Status.APPROVED, reason="")
    if tool.hash in facts.held.get(tool.name, ()):
        return replace(tool, status=Status.WITHDRAWN, reason=HELD)
    if tool.status is Status.APPROVED:
        return replace(tool, status=Status.PENDING, reason="no record of its approval was found")
    return tool


def _without_taken_ids(tools: Iterable[Tool], before: Catalog) -> tuple[list[Tool], list[Refusal]]:
    """Leaves out tools whose id another tool holds: whoever was there first keeps its name."""
    kept: dict[str, Tool] = {}
    taken = []
    for tool in tools:
        holder = before.tools.get(tool.id)
        if tool.id in kept or (holder and holder.server != tool.server):
            taken.append(Refusal(tool.server, tool.name, "its qualified name belongs to another tool"))
        else:
            kept[tool.id] = tool
    return list(kept.values()), taken

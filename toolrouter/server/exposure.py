"""What `tools/list` shows: the meta-tools and what is pinned, or every visible tool.

A surface belongs to the process, not to a connection: the newest protocol forbids lists that vary per connection.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

import anyio

from toolrouter.catalog.offers import Kind, Offer
from toolrouter.config import Exposure
from toolrouter.errors import NotFound, RpcError
from toolrouter.server.instructions import instructions
from toolrouter.server.meta_tools import DEFINITIONS, META_NAMES
from toolrouter.server.protocol import INVALID_PARAMS, is_modern
from toolrouter.server.rendering import definition
from toolrouter.server.router import COLD_WAIT_S, Router
from toolrouter.types import JsonObject, Tool, ToolId

logger = logging.getLogger(__name__)

PAGE_SIZE = 1_000
_CURSOR = "after:"
_STABLE_TTL_MS = 3_600_000
_CHANGING_TTL_MS = 60_000
_COLD_TTL_MS = 1_000


class Surface:
    """The tools that hosts are shown, and word of their changes."""

    def __init__(self, router: Router, wanted: Exposure | None = None) -> None:
        """`wanted` stands in place of the exposure in the settings."""
        self._router = router
        self._override = wanted
        self._wanted = self._now_wanted()
        self._chosen: Exposure | None = None
        self._watchers: list[Changes] = []
        self._last_told: dict[str, object] | None = None
        self.close = router.on_change(self._catalog_changed)
        """To be called when nobody is shown this surface any more."""

    def _now_wanted(self) -> Exposure:
        return self._override or self._router.settings.router.exposure

    @property
    def exposure(self) -> Exposure:
        """`search` or `all`. `auto` is decided at the first look at a warm catalog and stays decided."""
        if self._chosen is not None:
            return self._chosen
        wanted = self._wanted
        if wanted is Exposure.AUTO:
            if not self._router.is_warm:
                return Exposure.SEARCH
            tokens = sum(tool.tokens for tool in self._router.catalog.visible)
            small = tokens <= self._router.settings.router.auto_threshold_tokens
            wanted = Exposure.ALL if small else Exposure.SEARCH
            logger.info("exposure `auto`: the catalog costs %d tokens, so `%s`", tokens, wanted)
        self._chosen = Exposure.ALL if wanted is Exposure.ALL else Exposure.SEARCH
        return self._chosen

    async def settle(self) -> None:
        """Waits, for a bounded time, for what the list depends on. Exposure `auto` is decided afterwards."""
        if self.is_settled:
            return
        await self._router.wait_ready(COLD_WAIT_S)
        if self._wanted is Exposure.AUTO and not self._router.is_warm:
            self._chosen = Exposure.SEARCH

    @property
    def is_settled(self) -> bool:
        """Whether the list shows all that it is going to show of what is known."""
        if self._router.is_warm:
            return True
        match self._wanted:
            case Exposure.ALL:
                return bool(self._router.catalog.visible)
            case Exposure.AUTO if self._chosen is None:
                return False
        return len(self._listed()) >= len(self._pinned_names)

    async def settle_offers(self) -> None:
        """Waits, for a bounded time, for the first listing of servers that were never listed."""
        if not self._router.is_warm:
            await self._router.wait_settled()

    def caching_offers(self) -> JsonObject:
        return {"ttlMs": _CHANGING_TTL_MS if self._router.is_warm else _COLD_TTL_MS, "cacheScope": "private"}

    def instructions(self) -> str:
        return instructions(self._router.roster(), self.exposure)

    @property
    def is_dynamic(self) -> bool:
        """Whether hits become tools of the connection, where its protocol version allows that."""
        return self._wanted is Exposure.DYNAMIC

    def page(
        self, cursor: object, version: str, working_set: Collection[ToolId] = ()
    ) -> tuple[list[JsonObject], str | None]:
        """One page of definitions for a host of that version, and the cursor of the next page. Raises RpcError."""
        tools = self._listed(working_set)
        start = _start(tools, cursor)
        shown = tools[start : start + PAGE_SIZE]
        meta = DEFINITIONS if start == 0 and self.exposure is Exposure.SEARCH else ()
        page = [*meta, *(self._named(listable(tool, version), tool) for tool in shown)]
        more = start + PAGE_SIZE < len(tools)
        self._note_told()
        return page, f"{_CURSOR}{shown[-1].id}" if more else None

    def _named(self, listed: JsonObject, tool: Tool) -> JsonObject:
        own = self._router.settings.options(tool.server).own_names and self.exposure is Exposure.ALL
        return {**listed, "name": tool.name} if own and self._is_unique(tool) else listed

    def _is_unique(self, tool: Tool) -> bool:
        try:
            return self._router.catalog.find(tool.name) is tool and tool.name not in META_NAMES
        except NotFound:
            return False

    def _with_own_names(self, offers: Sequence[Offer]) -> set[Offer]:
        if self.exposure is not Exposure.ALL:
            return set()
        counts = Counter(offer.name for offer in offers)
        options = self._router.settings.options
        return {offer for offer in offers if counts[offer.name] == 1 and options(offer.server).own_names}

    def caching(self) -> JsonObject:
        """How long a list may be kept, and by whom. Only the meta-tools are the same for everybody."""
        if self.exposure is Exposure.SEARCH and not self._pinned_names:
            return {"ttlMs": _STABLE_TTL_MS, "cacheScope": "public"}
        return {"ttlMs": _CHANGING_TTL_MS if self._router.is_warm else _COLD_TTL_MS, "cacheScope": "private"}

    @contextmanager
    def changes(self) -> Iterator[Changes]:
        """Yields, however many changes came, the names of the lists that may be others than before."""
        watcher = Changes()
        self._watchers.append(watcher)
        try:
            yield watcher
        finally:
            self._watchers.remove(watcher)

    def offers(self, kind: Kind, cursor: object) -> tuple[list[JsonObject], str | None]:
        """One page of prompts, resources or templates under their qualified names. Raises RpcError."""
        found = self._router.catalog.offered(kind)
        start = _start(found, cursor)
        shown = found[start : start + PAGE_SIZE]
        self._note_told()
        more = start + PAGE_SIZE < len(found)
        own = self._with_own_names(found)
        return [
            offer.raw if offer in own else offer.shown for offer in shown
        ], f"{_CURSOR}{shown[-1].id}" if more else None

    @property
    def _pinned_names(self) -> tuple[str, ...]:
        return self._router.settings.router.pinned

    def _listed(self, working_set: Collection[ToolId] = ()) -> list[Tool]:
        """Every tool listed under its own name, ordered by id."""
        if self.exposure is Exposure.ALL:
            return list(self._router.catalog.visible)
        found = {tool.id: tool for tool in self._named_tools((*self._pinned_names, *working_set))}
        return [found[tool_id] for tool_id in sorted(found)]

    def _named_tools(self, names: Collection[str]) -> Iterator[Tool]:
        catalog = self._router.catalog
        for name in names:
            try:
                yield catalog.find(name)
            except NotFound:
                logger.debug("tool %s is not there", name)

    def _note_told(self) -> None:
        if self._last_told is None:
            self._last_told = self._fingerprint()

    def _fingerprint(self) -> dict[str, object]:
        catalog = self._router.catalog
        offers = [offer for alias in sorted(catalog.offers) for offer in catalog.offers[alias]]
        return {
            "tools": (self.exposure.value, *((tool.id, tool.hash) for tool in self._listed())),
            "prompts": tuple((offer.id, offer.hash) for offer in offers if offer.kind is Kind.PROMPT),
            "resources": tuple((offer.id, offer.hash) for offer in offers if offer.kind is not Kind.PROMPT),
        }

    def _catalog_changed(self) -> None:
        """Wakes the watchers when a list differs from what they were told of. Before anybody looked, nobody is."""
        if (wanted := self._now_wanted()) is not self._wanted:
            self._wanted, self._chosen = wanted, None
        if self._last_told is None:
            return
        before, now = self._last_told, self._fingerprint()
        self._last_told = now
        if changed := {name for name, found in now.items() if found != before[name]}:
            for watcher in self._watchers:
                watcher.add(changed)


class Changes:
    """Word of changed lists, for one who listens: what comes while he is busy is said once."""

    def __init__(self) -> None:
        self._pending: set[str] = set()
        self._wake = anyio.Event()

    def add(self, names: Collection[str]) -> None:
        self._pending.update(names)
        self._wake.set()

    def __aiter__(self) -> Changes:
        return self

    async def __anext__(self) -> frozenset[str]:
        await self._wake.wait()
        self._wake = anyio.Event()
        names, self._pending = frozenset(self._pending), set()
        return names


def listable(tool: Tool, version: str) -> JsonObject:
    """The definition under its qualified name; repaired only where hosts would reject the whole list for it."""
    listed = definition(tool)
    schema = listed.get("inputSchema")
    if not isinstance(schema, dict) or schema.get("type") != "object":
        listed["inputSchema"] = {**(schema if isinstance(schema, dict) else {}), "type": "object"}
    if not is_modern(version) and "outputSchema" in listed and not _is_object_schema(listed["outputSchema"]):
        del listed["outputSchema"]
    return listed


def _is_object_schema(schema: object) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "object"


def _start(tools: Sequence[Tool | Offer], cursor: object) -> int:
    """The position after the tool that a cursor names; that tool may be gone by now."""
    if cursor is None:
        return 0
    if not isinstance(cursor, str) or not cursor.startswith(_CURSOR):
        raise RpcError(INVALID_PARAMS, "Invalid params: this cursor is not one of ours")
    last = cursor.removeprefix(_CURSOR)
    return next((index for index, tool in enumerate(tools) if tool.id > last), len(tools))

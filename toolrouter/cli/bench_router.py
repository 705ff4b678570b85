"""A router over a catalog alone: what a host would be shown, with nothing running behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import anyio

from toolrouter.catalog.snapshot import build_catalog
from toolrouter.catalog.tokens import count_tokens, definition_tokens
from toolrouter.config import Exposure, Settings
from toolrouter.server.instructions import instructions
from toolrouter.server.meta_tools import DEFINITIONS
from toolrouter.server.rendering import render_search
from toolrouter.server.requests import read_search
from toolrouter.server.router import Router
from toolrouter.types import JsonObject, ServerState

if TYPE_CHECKING:
    from toolrouter.catalog.snapshot import Catalog
    from toolrouter.evaluation.sets import EvalSet
    from toolrouter.retrieval.search import SearchAnswer, SearchOptions

Search = Callable[[Sequence[str], "SearchOptions"], "SearchAnswer"]


@dataclass(frozen=True, slots=True)
class _Asleep:
    state: ServerState = ServerState.SLEEPING
    error: str = ""


class _NoFleet:
    """Nothing runs, and nothing is called."""

    def state(self, _alias: str) -> _Asleep:
        return _Asleep()

    async def request(self, alias: str, method: str, params: JsonObject | None, **_options: Any) -> JsonObject:
        raise NotImplementedError

    async def watch(self, alias: str, uri: str) -> Callable[[], Awaitable[None]]:
        raise NotImplementedError

    async def set_level(self, level: str) -> None:
        raise NotImplementedError

    async def announce(self, method: str, host: Hashable) -> None:
        raise NotImplementedError

    def leave(self, host: Hashable) -> None:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class _Held:
    snapshot: Catalog


class ShownRouter:
    """What a host sees of a set of tools: the surface, and the answers to searches."""

    def __init__(self, found: EvalSet, settings: Settings, search: Search) -> None:
        servers = {alias: {"command": "recorded"} for alias in found.servers}
        self._settings = Settings.model_validate({"mcpServers": servers, "toolrouter": settings.router})
        # A server that was listed once counts as indexed.
        known = [replace(server, listed_at=1.0) for server in found.servers.values()]
        catalog = build_catalog(known, found.tools)
        self._search = search
        self._router = Router(self._settings, _Held(catalog), _NoFleet(), search, first_indexing=anyio.Event())

    def surface_tokens(self) -> int:
        """The meta-tools, counted as any other definitions, and the instructions."""
        text = instructions(self._router.roster(), Exposure.SEARCH)
        return sum(map(definition_tokens, DEFINITIONS)) + count_tokens(text)

    def answer(self, queries: Sequence[str]) -> tuple[str, Sequence[str]]:
        """The text of the answer to one call of search_tools, and the tools in it."""
        from toolrouter.retrieval.search import SearchOptions

        wanted = self._settings.router.search
        options = SearchOptions(
            k=wanted.k,
            min_score=wanted.min_score,
            token_budget=wanted.token_budget,
            retriever=wanted.retriever,
            lean=wanted.lean,
        )
        answer = self._search(queries, options)
        request = read_search({"queries": list(queries)})
        return render_search(request, answer, self._router), [hit.id for hit in answer.hits]

"""Stand-ins behind the ports: plain dictionaries where the program has processes, connections and models."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio

from toolrouter.catalog.snapshot import Catalog, build_catalog
from toolrouter.config import Settings
from toolrouter.errors import UpstreamError
from toolrouter.ports import OnProgress
from toolrouter.retrieval.search import SearchAnswer, SearchOptions
from toolrouter.server.router import Router
from toolrouter.types import Hit, JsonObject, Server, ServerState, Status, Tool, ToolId

Behaviour = JsonObject | Exception | Callable[[JsonObject, OnProgress | None], Awaitable[JsonObject]]
"""What calling a tool does: answers with this result, raises this, or runs this with the params of the request."""

PATH_SCHEMA: JsonObject = {
    "type": "object",
    "properties": {"path": {"type": "string"}, "depth": {"type": "integer", "minimum": 0}},
    "required": ["path"],
}


def definition(name: str, description: str, schema: JsonObject | None = None, **more: Any) -> JsonObject:
    return {"name": name, "description": description, "inputSchema": schema or {"type": "object"}, **more}


def make_tool(alias: str, raw: JsonObject, *, status: Status = Status.APPROVED, tokens: int | None = None) -> Tool:
    text = json.dumps(raw, sort_keys=True)
    return Tool(
        id=ToolId(f"{alias}__{raw['name']}"),
        server=alias,
        name=raw["name"],
        raw=raw,
        hash=hashlib.sha256(text.encode()).hexdigest(),
        tokens=len(text) // 4 if tokens is None else tokens,
        status=status,
    )


def make_catalog(tools: Sequence[Tool], servers: Mapping[str, Server] | None = None) -> Catalog:
    found = {tool.server: Server(tool.server, listed_at=1.0) for tool in tools} | dict(servers or {})
    return build_catalog(found.values(), tools)


@dataclass
class FakeLive:
    """A holder of snapshots that tests swap by hand."""

    snapshot: Catalog


@dataclass(frozen=True)
class FakeStatus:
    state: ServerState = ServerState.SLEEPING
    error: str = ""
    pid: int | None = None
    since: float = 0.0


@dataclass
class FakeFleet:
    """Upstreams as a dictionary from (alias, upstream's tool name) to what calling it does."""

    behaviours: dict[tuple[str, str], Behaviour] = field(default_factory=dict)
    states: dict[str, FakeStatus] = field(default_factory=dict)
    requests: list[tuple[str, str, JsonObject]] = field(default_factory=list)
    when_started: Callable[[], None] | None = None
    """What happens while a sleeping upstream starts, before the request goes out."""

    async def request(
        self,
        alias: str,
        method: str,
        params: JsonObject | None,
        *,
        timeout_s: float | None = None,
        on_progress: OnProgress | None = None,
        before_send: Callable[[], None] | None = None,
    ) -> JsonObject:
        given = params or {}
        if self.when_started is not None:
            self.when_started()
        if before_send is not None:
            before_send()
        self.requests.append((alias, method, given))
        behaviour = self.behaviours.get((alias, given.get("name", "")))
        if behaviour is None:
            raise UpstreamError(alias, "the process ended with exit code 1")
        if isinstance(behaviour, Exception):
            raise behaviour
        if isinstance(behaviour, dict):
            return behaviour
        return await behaviour(given, on_progress)

    async def watch(self, alias: str, uri: str) -> Callable[[], Awaitable[None]]:
        self.requests.append((alias, "watch", {"uri": uri}))

        async def unwatch() -> None:
            self.requests.append((alias, "unwatch", {"uri": uri}))

        return unwatch

    async def set_level(self, level: str) -> None:
        self.requests.append(("", "set_level", {"level": level}))

    async def announce(self, method: str, host: Hashable) -> None:
        self.requests.append(("", method, {}))

    def leave(self, host: Hashable) -> None:
        return

    def state(self, alias: str) -> FakeStatus:
        return self.states.get(alias, FakeStatus())


@dataclass
class FakeSearch:
    """Ranks the visible tools by the share of the query's words that their name and description contain."""

    live: FakeLive
    warning: str = ""

    def __call__(self, queries: Sequence[str], options: SearchOptions) -> SearchAnswer:
        per_query = tuple(tuple(self._rank(query, options)) for query in queries)
        best: dict[ToolId, Hit] = {}
        for hit in (hit for hits in per_query for hit in hits):
            if hit.id not in best or hit.score > best[hit.id].score:
                best[hit.id] = hit
        hits = tuple(sorted(best.values(), key=lambda hit: (-hit.score, hit.id))[: options.k])
        servers = tuple(sorted({tool.server for tool in self.live.snapshot.visible})[:3])
        near = tuple(() if shown else servers for shown in per_query)
        return SearchAnswer(hits, per_query, bool(hits), () if hits else servers, 0.1, self.warning, near)

    def _rank(self, query: str, options: SearchOptions) -> list[Hit]:
        words = set(query.casefold().split())
        found = []
        for tool in self.live.snapshot.visible:
            if options.servers is not None and tool.server not in options.servers:
                continue
            text = set(f"{tool.name} {tool.description}".casefold().replace("_", " ").replace(".", " ").split())
            score = len(words & text) / len(words)
            if score > 0 and score >= options.min_score:
                found.append(Hit(tool.id, round(score, 3)))
        return sorted(found, key=lambda hit: (-hit.score, hit.id))[: options.k]


@dataclass
class World:
    """A router over fakes, and the handles by which a test moves them."""

    router: Router
    live: FakeLive
    fleet: FakeFleet
    ready: anyio.Event
    uses: list[JsonObject]

    def show(self, tools: Sequence[Tool], servers: Mapping[str, Server] | None = None) -> None:
        """Swaps the catalog, as a refresh does."""
        self.live.snapshot = make_catalog(tools, servers)
        self.router.catalog_changed()


def make_settings(aliases: Sequence[str], **router: Any) -> Settings:
    servers = {alias: {"command": "true"} for alias in aliases}
    return Settings.model_validate({"mcpServers": servers, "toolrouter": router})


def make_world(
    tools: Sequence[Tool],
    *,
    known: Mapping[str, Server] | None = None,
    behaviours: Mapping[tuple[str, str], Behaviour] | None = None,
    aliases: Sequence[str] | None = None,
    ready: bool = True,
    **router: Any,
) -> World:
    live = FakeLive(make_catalog(tools, known))
    fleet = FakeFleet(dict(behaviours or {}))
    event = anyio.Event()
    if ready:
        event.set()
    uses: list[JsonObject] = []
    settings = make_settings(aliases or sorted({tool.server for tool in tools}), **router)
    made = Router(settings, live, fleet, FakeSearch(live), first_indexing=event, log_use=uses.append)
    return World(made, live, fleet, event, uses)


def file_tools() -> list[Tool]:
    """A small catalog that most tests of the server side use."""
    return [
        make_tool("files", definition("list_directory", "List the files in a folder.", PATH_SCHEMA)),
        make_tool(
            "files",
            definition("read_file", "Read a file as text.", PATH_SCHEMA, annotations={"readOnlyHint": True}),
        ),
        make_tool("git", definition("git_log", "Show the commits of a repository.", PATH_SCHEMA)),
    ]

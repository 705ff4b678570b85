"""The few tools that stand for all the others: search_tools, describe_tools, call_tool, call_read_tool, read_result.

Their names and texts are what the model learns toolrouter by. They are constant, and counted: every host pays for them
in every conversation.
"""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from toolrouter.errors import ModelError, NotFound
from toolrouter.ports import OnProgress
from toolrouter.server.finding import SECTIONS, render_offers
from toolrouter.server.reading import read_reading, render_part
from toolrouter.server.rendering import render_definitions, render_search
from toolrouter.server.requests import BadRequest, CallRequest, read_call, read_names, read_search
from toolrouter.server.results import error_result, text_result
from toolrouter.server.router import Router
from toolrouter.server.words import not_found
from toolrouter.types import JsonObject, Status, Tool, ToolId

_UP_FRONT = {"anthropic/alwaysLoad": True}
"""Asks hosts that defer tools to show these at once: what defers the rest must not be deferred itself."""
_LOOKS = {"readOnlyHint": True, "openWorldHint": False}
_STRINGS = {"type": "array", "items": {"type": "string"}}
_CALL_SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "arguments": {"type": "object"}},
    "required": ["name"],
}

SEARCH: JsonObject = {
    "name": "search_tools",
    "title": "Search tools",
    "description": (
        "Find tools by what you want done. Answers with signatures, best first (* required, … shortened); "
        "run one with call_tool. Use queries for several steps at once."
    ),
    "inputSchema": {
        "type": "object",
        "properties": {
            "query": {"type": "string", "description": "One action in plain words, e.g. list open pull requests"},
            "queries": {**_STRINGS, "maxItems": 8},
            "limit": {"type": "integer", "description": "Most hits"},
            "servers": {**_STRINGS, "description": "Only these servers"},
            "detail": {"enum": ["name", "signature", "schema"]},
            "include": {
                "type": "array",
                "items": {"enum": [*SECTIONS]},
                "description": "Also find these",
            },
        },
    },
    "annotations": _LOOKS,
    "_meta": _UP_FRONT,
}

DESCRIBE: JsonObject = {
    "name": "describe_tools",
    "title": "Describe tools",
    "description": "Full definitions of tools, when a signature does not say enough.",
    "inputSchema": {"type": "object", "properties": {"names": {**_STRINGS, "maxItems": 10}}, "required": ["names"]},
    "annotations": _LOOKS,
    "_meta": _UP_FRONT,
}

CALL: JsonObject = {
    "name": "call_tool",
    "title": "Call a tool",
    "description": "Run a tool by the name search_tools shows. Returns the tool's own result.",
    "inputSchema": _CALL_SCHEMA,
    "_meta": _UP_FRONT,
}

CALL_READ: JsonObject = {
    "name": "call_read_tool",
    "title": "Call a read-only tool",
    "description": "Like call_tool, for read-only tools alone; refuses all others.",
    "inputSchema": _CALL_SCHEMA,
    "annotations": {"readOnlyHint": True, "openWorldHint": True},
    "_meta": _UP_FRONT,
}

READ: JsonObject = {
    "name": "read_result",
    "title": "Read a long result",
    "description": "Read on in a result that was cut: by page, by lines that contain grep, or by path ($.items[0].id).",
    "inputSchema": {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "page": {"type": "integer"},
            "offset": {"type": "integer"},
            "grep": {"type": "string"},
            "path": {"type": "string"},
        },
        "required": ["id"],
    },
    "annotations": _LOOKS,
    "_meta": _UP_FRONT,
}

DEFINITIONS = (SEARCH, DESCRIBE, CALL, CALL_READ, READ)
META_NAMES = frozenset(str(each["name"]) for each in DEFINITIONS)
_LIKE_OURS = 0.8
_COMPARED_CHARS = 64


@dataclass(frozen=True, slots=True)
class Call:
    """One `tools/call` of a meta-tool: its arguments, and what of the host's request goes along."""

    arguments: JsonObject
    on_progress: OnProgress | None = None
    meta: JsonObject = field(default_factory=dict)
    retry: JsonObject = field(default_factory=dict)
    on_hits: Callable[[Sequence[ToolId]], Awaitable[None]] | None = None
    """Hears what a search found before the host does."""


class MetaTools:
    """Answers the meta-tools. Whatever the model gets wrong is answered in words, as a result with `isError`."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._answers: dict[str, Callable[[Call], Awaitable[JsonObject]]] = {
            "search_tools": self._search,
            "describe_tools": self._describe,
            "call_tool": self._call,
            "call_read_tool": self._call_read,
            "read_result": self._read_result,
        }

    def __contains__(self, name: object) -> bool:
        return name in self._answers

    async def call(self, name: str, call: Call) -> JsonObject:
        """The result. Raises RpcError when an upstream answers a routed call with a JSON-RPC error."""
        try:
            return await self._answers[name](call)
        except BadRequest as error:
            return error_result(str(error))
        except NotFound as error:
            return error_result(not_found(error))
        except ModelError as error:
            return error_result(f"The search does not work at the moment: {error}")

    def with_own(self, name: str, error: NotFound) -> NotFound:
        """The error with the meta-tools that an unknown name may mean, before the tools of servers that it is like."""
        compared = name[:_COMPARED_CHARS]
        own = difflib.get_close_matches(compared, META_NAMES, n=2, cutoff=_LIKE_OURS)
        known = self._router.catalog.known(name)
        if not own or (known is not None and known.status is Status.APPROVED):
            return error
        near = [*own, *error.near]
        return NotFound(f"There is no tool {compared!r}. Did you mean {', '.join(near)}?", near)

    async def _search(self, call: Call) -> JsonObject:
        request = read_search(call.arguments)
        answer = await self._router.search(request.queries, k=request.limit, servers=request.servers)
        if call.on_hits is not None:
            await call.on_hits([hit.id for hit in answer.hits])
        text = render_search(request, answer, self._router)
        if request.include:
            offerings = self._router.offerings
            found = await offerings.find(request.queries, request.include, servers=request.servers, limit=request.limit)
            text = f"{text}\n\n{render_offers(found)}"
        return text_result(text)

    async def _describe(self, call: Call) -> JsonObject:
        found = await self._router.describe(read_names(call.arguments))
        text = render_definitions(found)
        return text_result(text) if any(isinstance(tool, Tool) for tool in found.values()) else error_result(text)

    async def _read_result(self, call: Call) -> JsonObject:
        request = read_reading(call.arguments)
        return text_result(render_part(await self._router.results.load(request.id), request))

    async def _call(self, call: Call) -> JsonObject:
        return await self._route(read_call("call_tool", call.arguments), call, read_only=False)

    async def _call_read(self, call: Call) -> JsonObject:
        return await self._route(read_call("call_read_tool", call.arguments), call, read_only=True)

    async def _route(self, request: CallRequest, call: Call, *, read_only: bool) -> JsonObject:
        if request.name in self:
            return error_result(f"{request.name} is called directly, not through call_tool.")
        try:
            result = await self._router.call(
                request.name,
                request.arguments,
                read_only=read_only,
                on_progress=call.on_progress,
                meta=call.meta,
                retry=call.retry,
            )
        except NotFound as error:
            raise self.with_own(request.name, error) from error
        return await self._router.results.shortened(result)

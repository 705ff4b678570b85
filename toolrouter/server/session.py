"""One host, in whichever protocol era it opens with.

A session turns requests into results and knows nothing of how they travel. Everything it sends and returns is the JSON
object that goes over the wire.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from enum import StrEnum
from typing import Protocol

from toolrouter.config import Exposure
from toolrouter.errors import NotFound, RpcError
from toolrouter.guard.flows import Conversation
from toolrouter.server.arguments import as_object
from toolrouter.server.calling import HostCall, Inbound
from toolrouter.server.exposure import Surface
from toolrouter.server.gates import speaking_for
from toolrouter.server.meta_tools import Call, MetaTools
from toolrouter.server.offered import OfferedAnswers
from toolrouter.server.opening import SERVER_INFO, discovered, initialized, listed
from toolrouter.server.protocol import (
    CAPABILITIES_KEY,
    HANDSHAKE_VERSIONS,
    INVALID_PARAMS,
    INVALID_REQUEST,
    LATEST_HANDSHAKE,
    LEVELS,
    LISTS,
    LOG_LEVEL_KEY,
    MODERN_VERSIONS,
    checked_version,
    forwarded_meta,
    is_enveloped,
    is_modern,
    list_changed,
    method_not_found,
    retried,
    stamped,
    unsupported_version,
)
from toolrouter.server.results import for_host
from toolrouter.server.router import Router
from toolrouter.server.subscribing import Subscriptions
from toolrouter.server.words import not_found
from toolrouter.server.working_set import WorkingSet
from toolrouter.types import JsonObject, ToolId
from toolrouter.wire.caller import CALLER

logger = logging.getLogger(__name__)

CLIENT_INFO_KEY = "io.modelcontextprotocol/clientInfo"

ROOTS_CHANGED = "notifications/roots/list_changed"


class Wire(Protocol):
    """What reaches the host beside its requests. Only handshake-era hosts hear anything on it."""

    async def notify(self, method: str, params: JsonObject | None = None) -> None: ...
    async def ask(self, method: str, params: JsonObject) -> JsonObject: ...


class Era(StrEnum):
    HANDSHAKE = "handshake"
    MODERN = "modern"


Answer = Callable[[JsonObject, Inbound], Awaitable[JsonObject]]


class HostSession:
    """One connection of a host. Its first request decides the era, for good."""

    def __init__(
        self, router: Router, surface: Surface, meta_tools: MetaTools, wire: Wire, *, era: Era | None = None
    ) -> None:
        """`era` is given where the transport knows it already."""
        self._router = router
        self._surface = surface
        self._meta_tools = meta_tools
        self._wire = wire
        self._subscriptions = Subscriptions(router, surface, wire, self)
        self._working_set = WorkingSet()
        self.era = era
        self._era_known = era is not None
        # Over HTTP, 2026-07-28 knows requests and nothing that joins them.
        self._lasting = era is not Era.MODERN
        self.version = ""
        self.capabilities: JsonObject = {}
        self.level = ""
        self._conversation = Conversation()
        offered = OfferedAnswers(router, surface, self._call_of)
        shared: dict[str, Answer] = {
            "tools/list": self._list_tools,
            "tools/call": self._call_tool,
            **offered.answers,
        }
        self._handshake: dict[str, Answer] = {
            **shared,
            "resources/subscribe": self._as_caller(self._subscriptions.subscribe),
            "resources/unsubscribe": self._subscriptions.unsubscribe,
            "logging/setLevel": self._set_level,
        }
        self._modern: dict[str, Answer] = {
            **shared,
            "server/discover": self._discover,
            "subscriptions/listen": self._as_caller(self._subscriptions.listen),
        }

    async def close(self) -> None:
        """The host is gone: nothing may be sent to it any more."""
        self._router.hosts.leave(self)
        await self._subscriptions.close()
        self._router.fleet.leave(self)

    async def handle(self, method: str, params: JsonObject, inbound: Inbound) -> JsonObject:
        """The result of one request. Raises RpcError for what is answered with a JSON-RPC error."""
        enveloped = method != "initialize" and is_enveloped(params)
        client = inbound.meta.get(CLIENT_INFO_KEY) if enveloped else params.get("clientInfo")
        speaking_for(self._conversation, client)
        if self.era is None:
            self.era = Era.MODERN if enveloped else Era.HANDSHAKE
        if self.era is Era.MODERN:
            return await self._handle_modern(method, params, inbound)
        if enveloped:
            raise RpcError(INVALID_REQUEST, "Invalid request: this connection was opened with the initialize handshake")
        return await self._handle_handshake(method, params, inbound)

    async def on_notification(self, method: str, params: JsonObject) -> None:
        """Cancellation is the connection's business; of the others only changed roots concern upstreams."""
        if method == ROOTS_CHANGED and self.era is Era.HANDSHAKE:
            await self._router.fleet.announce(method, self)

    async def announce_change(self, names: Collection[str]) -> None:
        """Tells a handshake-era host which lists changed. Modern hosts hear it where they listen."""
        if self.era is Era.HANDSHAKE and self.version:
            for name in LISTS:
                if name in names:
                    await self._wire.notify(list_changed(name))

    async def ask(self, method: str, params: JsonObject) -> JsonObject:
        """Puts a question that no request of the host caused. Raises RpcError."""
        return await self._wire.ask(method, params)

    async def tell(self, method: str, params: JsonObject) -> None:
        await self._wire.notify(method, params)

    async def _handle_handshake(self, method: str, params: JsonObject, inbound: Inbound) -> JsonObject:
        if method == "initialize":
            return self._initialize(params)
        if method == "ping":
            return {}
        if (answer := self._handshake.get(method)) is None:
            raise method_not_found(method)
        if not self.version:
            raise RpcError(INVALID_REQUEST, f"Invalid request: {method} came before initialize")
        return await answer(params, inbound)

    async def _handle_modern(self, method: str, params: JsonObject, inbound: Inbound) -> JsonObject:
        if method == "initialize" and not self._era_known:
            message = f"This connection speaks {MODERN_VERSIONS[0]}, which has no initialize handshake"
            raise unsupported_version(message, params.get("protocolVersion"))
        if not self.version and self._surface.is_dynamic:
            logger.info("this host speaks 2026-07-28, which allows no dynamic lists: it gets exposure `search`")
        self.version = checked_version(params)
        if (answer := self._modern.get(method)) is None:
            raise method_not_found(method)
        return stamped(await answer(params, inbound), SERVER_INFO)

    def _initialize(self, params: JsonObject) -> JsonObject:
        requested = params.get("protocolVersion")
        if not isinstance(requested, str):
            raise RpcError(INVALID_PARAMS, "Invalid params: initialize needs a protocolVersion")
        self.version = requested if requested in HANDSHAKE_VERSIONS else LATEST_HANDSHAKE
        given = params.get("capabilities")
        self.capabilities = given if isinstance(given, dict) else {}
        self._router.hosts.join(self)
        return initialized(self._surface, self.version)

    async def _discover(self, params: JsonObject, inbound: Inbound) -> JsonObject:
        return discovered(self._surface)

    async def _set_level(self, params: JsonObject, inbound: Inbound) -> JsonObject:
        level = params.get("level")
        if level not in LEVELS:
            raise RpcError(INVALID_PARAMS, f"Invalid params: level is one of {', '.join(LEVELS)}")
        self.level = str(level)
        await self._router.fleet.set_level(self._router.hosts.lowest_level())
        return {}

    async def _list_tools(self, params: JsonObject, inbound: Inbound) -> JsonObject:
        await self._surface.settle()
        result = listed(self._surface, self.version, params.get("cursor"), self._working_set.ids)
        self._working_set.listed()
        return result

    def _call_of(self, inbound: Inbound) -> tuple[HostCall, JsonObject]:
        """The host's request as upstreams may turn to it, and the `_meta` that goes along."""
        meta = forwarded_meta(inbound.meta)
        if is_modern(self.version):
            capabilities = inbound.meta.get(CAPABILITIES_KEY)
            given = capabilities if isinstance(capabilities, dict) else {}
            return HostCall(self, inbound, given, modern=True, lasting=self._lasting), meta
        # What a new-era upstream learns of a handshake host; an older upstream gets none of it.
        meta[CAPABILITIES_KEY] = self.capabilities
        if self.level:
            meta[LOG_LEVEL_KEY] = self.level
        return HostCall(self, inbound, self.capabilities, modern=False, level=self.level), meta

    def _as_caller(self, answer: Answer) -> Answer:
        async def answered(params: JsonObject, inbound: Inbound) -> JsonObject:
            calling = CALLER.set(self._call_of(inbound)[0])
            try:
                return await answer(params, inbound)
            finally:
                CALLER.reset(calling)

        return answered

    async def _call_tool(self, params: JsonObject, inbound: Inbound) -> JsonObject:
        name = params.get("name")
        if not isinstance(name, str):
            raise RpcError(INVALID_PARAMS, "Invalid params: tools/call needs the name of a tool")
        arguments = params.get("arguments")
        caller, meta = self._call_of(inbound)

        async def send(retry: JsonObject) -> JsonObject:
            if name not in self._meta_tools:
                return await self._call_directly(name, arguments, inbound, meta, retry)
            given = as_object(arguments)
            if given is None:
                raise RpcError(INVALID_PARAMS, "Invalid params: arguments must be an object")
            on_hits = self._list_hits if self._surface.is_dynamic and not caller.modern else None
            return await self._meta_tools.call(name, Call(given, inbound.progress, meta, retry, on_hits))

        calling = CALLER.set(caller)
        try:
            return for_host(await caller.complete(send, retried(params)), self.version)
        finally:
            CALLER.reset(calling)

    async def _list_hits(self, ids: Sequence[ToolId]) -> None:
        if self._working_set.add(ids):
            await self._wire.notify(list_changed("tools"))
            await self._working_set.wait_listed()

    async def _call_directly(
        self, name: str, arguments: object, inbound: Inbound, meta: JsonObject, retry: JsonObject
    ) -> JsonObject:
        """A tool by its own name: listed now, or remembered by the host from another time."""
        self._working_set.use(ToolId(name))
        own_hidden = self._surface.exposure is Exposure.ALL
        try:
            result = await self._router.call(name, arguments, on_progress=inbound.progress, meta=meta, retry=retry)
        except NotFound as error:
            better = error if own_hidden else self._meta_tools.with_own(name, error)
            raise RpcError(INVALID_PARAMS, f"Unknown tool: {not_found(better)}") from error
        # In `all` the host deals with long results itself: there is no read_result there.
        return result if own_hidden else await self._router.results.shortened(result)

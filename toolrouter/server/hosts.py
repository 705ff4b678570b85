"""The hosts that are connected, and what upstreams say to them: questions, log messages, updates of resources.

A server that may ask has a connection for each host that lasts, so a question reaches the host on whose connection it
comes. On a connection that hosts share it reaches the one host whose calls are under way, and is refused in words when
there are several: a question must never reach somebody else's user.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import replace
from functools import partial
from typing import Protocol

import anyio

from toolrouter.config import Ask
from toolrouter.errors import RpcError
from toolrouter.server.asking import ABILITIES, Asking
from toolrouter.server.cleaning import clean_strings
from toolrouter.server.protocol import INVALID_REQUEST, LEVELS, METHOD_NOT_FOUND
from toolrouter.types import JsonObject
from toolrouter.upstream.connection import ReverseHandlers
from toolrouter.wire.caller import Caller
from toolrouter.wire.jsonrpc import Inbound

logger = logging.getLogger(__name__)

UPDATED = "notifications/resources/updated"
MESSAGE = "notifications/message"
ELICITED = "notifications/elicitation/complete"
ROOTS = "roots/list"
FIRST_HOST_S = 1.0

OnUpdate = Callable[[JsonObject], Awaitable[None]]


class Host(Protocol):
    """One connected host, beyond any request of it."""

    @property
    def capabilities(self) -> JsonObject: ...
    @property
    def level(self) -> str:
        """The lowest level of log messages it wants; empty when it never said."""
        ...

    async def ask(self, method: str, params: JsonObject) -> JsonObject: ...
    async def tell(self, method: str, params: JsonObject) -> None: ...


class Hosts:
    """Everybody who is connected now."""

    def __init__(self, asking: Asking, may_speak: Callable[[str], bool] = lambda _: True) -> None:
        """`may_speak`: whether anything of that server is approved; the words of others never reach a host."""
        self.asking = asking
        self._may_speak = may_speak
        self._hosts: list[Host] = []
        self._watchers: dict[tuple[str, str], list[tuple[Hashable, OnUpdate]]] = defaultdict(list)
        self._met = anyio.Event()

    def join(self, host: Host) -> None:
        if host not in self._hosts:
            self._hosts.append(host)
        self._met.set()

    def leave(self, host: Host) -> None:
        if host in self._hosts:
            self._hosts.remove(host)

    async def wait_first(self) -> None:
        """Until a host has said what it can do, for a bounded time: upstreams are told at their start."""
        with anyio.move_on_after(FIRST_HOST_S):
            await self._met.wait()

    def lowest_level(self) -> str:
        """The level from which on some host wants log messages."""
        wanted = [host.level for host in self._hosts if host.level]
        return min(wanted, key=LEVELS.index, default="")

    def watch(self, alias: str, uri: str, on_update: OnUpdate, host: Hashable) -> Callable[[], None]:
        """Has that host told of updates until what it returns is called."""
        watcher = (host, on_update)
        self._watchers[alias, uri].append(watcher)

        def forget() -> None:
            watchers = self._watchers[alias, uri]
            watchers.remove(watcher)
            if not watchers:
                del self._watchers[alias, uri]

        return forget

    def handlers(self, alias: str, caller: Caller | None = None) -> ReverseHandlers:
        """What a connection to that upstream can serve: the shared one or, with a caller, that host's own."""
        if caller is None:
            handlers = self._handlers(alias, self.asking.declared(alias), None)
            return replace(handlers, handshake=bool(self._hosts))
        given = caller.capabilities
        abilities = {name: given[name] for name in ABILITIES.values() if isinstance(given.get(name), dict)}
        declared = self.asking.capabilities(alias, abilities)
        # A host that can be asked nothing needs no connection of its own.
        return replace(self._handlers(alias, declared, caller.host if declared else None), handshake=not caller.modern)

    def _handlers(self, alias: str, declared: JsonObject, owner: Hashable | None) -> ReverseHandlers:
        on_request = partial(self._on_request, alias, owner)
        return ReverseHandlers(declared, on_request, partial(self._hear, alias, owner), owner=owner)

    async def _on_request(
        self, alias: str, owner: Hashable | None, method: str, params: JsonObject, inbound: Inbound
    ) -> JsonObject:
        if method not in ABILITIES or not self._may_speak(alias):
            raise RpcError(METHOD_NOT_FOUND, f"Method not found: {method}")
        params = self.asking.question(alias, method, params)
        if callers := inbound.callers:
            if len({caller.host for caller in callers}) > 1:
                raise _unasked(method, "several hosts have calls under way")
            callers[0].check(method, params)
            if owner is None and method == ROOTS:
                # A server asks for them once and uses them in everybody's calls.
                raise _unasked(method, "this connection is not the host's alone")
            return await callers[0].ask(method, params)
        for host in self._those(owner):
            if owner is not None and can(host.capabilities, method, params):
                return await host.ask(method, params)
        raise _unasked(method, "no call of a host that can answer it is under way")

    async def _hear(self, alias: str, owner: Hashable | None, method: str, params: JsonObject) -> None:
        """Passes on what a server says unasked; on a connection of one host, to that host alone."""
        if not self._may_speak(alias):
            return
        clean, _ = clean_strings(params)
        if method == UPDATED:
            for host, on_update in list(self._watchers.get((alias, str(params.get("uri"))), ())):
                if owner is None or host is owner:
                    await on_update(clean)
        elif method == MESSAGE:
            await self._tell(owner, method, clean, lambda host: is_loud_enough(params, host.level))
        elif method == ELICITED and Ask.ELICITATION in self.asking.allowed(alias):
            await self._tell(owner, method, clean, lambda host: "elicitation" in host.capabilities)

    async def _tell(
        self, owner: Hashable | None, method: str, params: JsonObject, wants: Callable[[Host], bool]
    ) -> None:
        for host in [host for host in self._those(owner) if wants(host)]:
            await host.tell(method, params)

    def _those(self, owner: object) -> list[Host]:
        return [host for host in self._hosts if owner in (None, host)]


def can(capabilities: JsonObject, method: str, params: JsonObject) -> bool:
    """Whether a host with these capabilities can serve that request of an upstream."""
    given = capabilities.get(ABILITIES[method])
    if not isinstance(given, dict):
        return False
    if method == "elicitation/create" and given:
        return ("url" if params.get("mode") == "url" else "form") in given
    return not (method == "elicitation/create" and params.get("mode") == "url")


def is_loud_enough(params: JsonObject, level: str) -> bool:
    given = params.get("level")
    if not level or given not in LEVELS:
        return True
    return LEVELS.index(str(given)) >= LEVELS.index(level)


def _unasked(method: str, reason: str) -> RpcError:
    return RpcError(INVALID_REQUEST, f"toolrouter cannot pass on {method}: {reason}")

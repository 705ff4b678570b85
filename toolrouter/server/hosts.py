"""The hosts that are connected, and what upstreams say to them: questions, log messages, updates of resources.

A question reaches the host whose call caused it. Where a connection cannot tell (several hosts have calls under way on
one upstream), it is refused in words: a question must never reach somebody else's user.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
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
from toolrouter.wire.jsonrpc import Inbound

logger = logging.getLogger(__name__)

UPDATED = "notifications/resources/updated"
MESSAGE = "notifications/message"
ELICITED = "notifications/elicitation/complete"
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
        self._modern_abilities: JsonObject = {}
        self._watchers: dict[tuple[str, str], list[OnUpdate]] = defaultdict(list)
        self._met = anyio.Event()

    def join(self, host: Host) -> None:
        if host not in self._hosts:
            self._hosts.append(host)
        self._met.set()

    def meet(self, capabilities: JsonObject) -> None:
        """Notes what a host of the new era can do: it says so with each request, and is not otherwise there."""
        for name in ABILITIES.values():
            if isinstance(given := capabilities.get(name), dict):
                self._modern_abilities[name] = {**self._modern_abilities.get(name, {}), **given}

    def leave(self, host: Host) -> None:
        if host in self._hosts:
            self._hosts.remove(host)

    async def wait_first(self) -> None:
        """Until a host has said what it can do, for a bounded time: upstreams are told at their start."""
        with anyio.move_on_after(FIRST_HOST_S):
            await self._met.wait()

    def capabilities(self) -> JsonObject:
        """What some host can do, in the form in which a client declares it."""
        found: JsonObject = dict(self._modern_abilities)
        for host in self._hosts:
            for name in ABILITIES.values():
                if isinstance(given := host.capabilities.get(name), dict):
                    found[name] = {**found.get(name, {}), **given}
        return found

    def lowest_level(self) -> str:
        """The level from which on some host wants log messages."""
        wanted = [host.level for host in self._hosts if host.level]
        return min(wanted, key=LEVELS.index, default="")

    def watch(self, alias: str, uri: str, on_update: OnUpdate) -> None:
        self._watchers[alias, uri].append(on_update)

    def unwatch(self, alias: str, uri: str, on_update: OnUpdate) -> None:
        watchers = self._watchers.get((alias, uri), [])
        if on_update in watchers:
            watchers.remove(on_update)
        if not watchers:
            self._watchers.pop((alias, uri), None)

    def handlers(self, alias: str) -> ReverseHandlers:
        """What a connection to that upstream can serve as of now."""
        return ReverseHandlers(
            self.asking.capabilities(alias, self.capabilities()),
            partial(self._on_request, alias),
            partial(self._hear, alias),
            handshake=bool(self._hosts),
        )

    async def _on_request(self, alias: str, method: str, params: JsonObject, inbound: Inbound) -> JsonObject:
        if method not in ABILITIES or not self._may_speak(alias):
            raise RpcError(METHOD_NOT_FOUND, f"Method not found: {method}")
        params = self.asking.question(alias, method, params)
        callers = inbound.callers
        if len({caller.host for caller in callers}) > 1:
            raise _ambiguous(method, "several hosts have calls under way")
        if callers:
            return await callers[0].ask(method, params)
        able = [host for host in self._hosts if can(host.capabilities, method, params)]
        if len(able) == 1:
            return await able[0].ask(method, params)
        reason = "several hosts are connected and none has a call under way" if able else "no host can answer it"
        raise _ambiguous(method, reason)

    async def _hear(self, alias: str, method: str, params: JsonObject) -> None:
        if not self._may_speak(alias):
            return
        if method == UPDATED:
            for on_update in list(self._watchers.get((alias, str(params.get("uri"))), ())):
                await on_update(clean_strings(params)[0])
        elif method == MESSAGE:
            clean, _ = clean_strings(params)
            await self._tell_all(method, clean, lambda host: is_loud_enough(params, host.level))
        elif method == ELICITED and Ask.ELICITATION in self.asking.allowed(alias):
            clean, _ = clean_strings(params)
            await self._tell_all(method, clean, lambda host: "elicitation" in host.capabilities)

    async def _tell_all(self, method: str, params: JsonObject, wants: Callable[[Host], bool]) -> None:
        for host in [host for host in self._hosts if wants(host)]:
            await host.tell(method, params)


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


def _ambiguous(method: str, reason: str) -> RpcError:
    return RpcError(INVALID_REQUEST, f"toolrouter cannot pass on {method}: {reason}")

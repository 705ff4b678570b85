"""One request of a host on its way to an upstream: what the upstream may ask and tell meanwhile.

A new-era upstream asks by answering `input_required`: the host's own request is to be repeated with what was asked
for. A new-era host gets that as it is; for a handshake host the questions are put as requests, and the repeating is
done here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any, Protocol

import anyio

from toolrouter.errors import RpcError
from toolrouter.server.asking import ABILITIES
from toolrouter.server.cleaning import clean_strings
from toolrouter.server.hosts import can, is_loud_enough
from toolrouter.server.protocol import INVALID_REQUEST, LOG_LEVEL_KEY, METHOD_NOT_FOUND
from toolrouter.server.results import asks_for_input, error_result
from toolrouter.types import JsonObject

MAX_ROUNDS = 10
"""How often an upstream may ask during one call of a handshake host."""

Send = Callable[[JsonObject], Awaitable[JsonObject]]
"""Sends a request upstream with these retry fields (`inputResponses`, `requestState`) added."""


class Inbound(Protocol):
    """A request of the host while it is being handled; `wire.jsonrpc.Inbound` is one."""

    @property
    def id(self) -> str | int: ...
    @property
    def meta(self) -> JsonObject: ...
    async def notify(self, method: str, params: JsonObject | None = None) -> None: ...
    async def progress(self, params: JsonObject) -> None: ...
    async def ask(self, method: str, params: JsonObject) -> JsonObject: ...


class HostCall:
    """Satisfies `wire.caller.Caller`."""

    def __init__(
        self,
        host: Hashable,
        inbound: Inbound,
        capabilities: JsonObject,
        *,
        modern: bool,
        lasting: bool = True,
        level: str = "",
    ) -> None:
        """`level`: from which log messages on the host wants them."""
        self.host = host
        self.modern = modern
        self.lasting = lasting
        self.capabilities = capabilities
        self._inbound = inbound
        self._level = level

    def check(self, method: str, params: JsonObject) -> None:
        if method not in ABILITIES or not can(self.capabilities, method, params):
            raise RpcError(METHOD_NOT_FOUND, f"The host behind toolrouter does not support {method}")

    async def ask(self, method: str, params: JsonObject) -> JsonObject:
        """Puts an upstream's question to the host; one of the new era is asked where calls park. Raises RpcError."""
        self.check(method, params)
        if self.modern:
            raise RpcError(
                INVALID_REQUEST,
                f"toolrouter cannot pass on {method}: the host speaks 2026-07-28, which has no requests of servers",
            )
        return await self._inbound.ask(method, params)

    async def tell(self, method: str, params: JsonObject) -> None:
        if self.modern and LOG_LEVEL_KEY not in self._inbound.meta:
            return  # unasked-for log messages are forbidden there
        if is_loud_enough(params, str(self._inbound.meta.get(LOG_LEVEL_KEY) or self._level)):
            await self._inbound.notify(method, clean_strings(params)[0])

    async def complete(self, send: Send, retry: JsonObject) -> JsonObject:
        """The result of a request, with the upstream's questions answered by a handshake host. Raises RpcError."""
        result = await send(retry)
        if self.modern:
            return result
        for _ in range(MAX_ROUNDS):
            if not asks_for_input(result):
                return result
            more: JsonObject = {"inputResponses": await self._answers(result.get("inputRequests"))}
            if "requestState" in result:
                more["requestState"] = result["requestState"]
            result = await send(more)
        if asks_for_input(result):
            return error_result(f"The server asked for input more than {MAX_ROUNDS} times; toolrouter gave up.")
        return result

    async def _answers(self, requests: object) -> JsonObject:
        found: JsonObject = {}

        async def put(key: str, method: str, params: JsonObject) -> None:
            found[key] = await self.ask(method, params)

        questions = [_question(key, request) for key, request in _items(requests)]
        try:
            async with anyio.create_task_group() as tasks:
                for question in questions:
                    tasks.start_soon(put, *question)
        except BaseExceptionGroup as group:
            refused, rest = group.split(RpcError)
            if rest is not None or refused is None:
                raise
            raise _leaf(refused) from group
        return found


def _items(requests: object) -> list[tuple[str, Any]]:
    return [(str(key), value) for key, value in requests.items()] if isinstance(requests, Mapping) else []


def _question(key: str, request: object) -> tuple[str, str, JsonObject]:
    given = request if isinstance(request, Mapping) else {}
    params = given.get("params")
    return key, str(given.get("method")), dict(params) if isinstance(params, Mapping) else {}


def _leaf(group: BaseExceptionGroup[RpcError]) -> BaseException:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found

"""Answers what hosts ask about prompts, resources and completion."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from toolrouter.catalog.offers import Kind
from toolrouter.errors import RpcError
from toolrouter.server.calling import HostCall, Inbound
from toolrouter.server.exposure import Surface
from toolrouter.server.protocol import INVALID_PARAMS, RESOURCE_NOT_FOUND
from toolrouter.server.results import in_era
from toolrouter.server.router import Router
from toolrouter.types import JsonObject
from toolrouter.wire.caller import CALLER

Answer = Callable[[JsonObject, Inbound], Awaitable[JsonObject]]
CallOf = Callable[[Inbound], tuple[HostCall, JsonObject]]
_FRESH: JsonObject = {"ttlMs": 0, "cacheScope": "private"}
"""For what an upstream of the handshake era answered: it promised nothing."""


class OfferedAnswers:
    """For one host; `call_of` makes its requests known to upstreams."""

    def __init__(self, router: Router, surface: Surface, call_of: CallOf) -> None:
        self._surface = surface
        self._call_of = call_of
        self._offerings = router.offerings
        self.answers: dict[str, Answer] = {
            "prompts/list": self._listing(Kind.PROMPT, "prompts"),
            "prompts/get": self._get_prompt,
            "resources/list": self._listing(Kind.RESOURCE, "resources"),
            "resources/templates/list": self._listing(Kind.TEMPLATE, "resourceTemplates"),
            "resources/read": self._read,
            "completion/complete": self._complete,
        }

    def _listing(self, kind: Kind, key: str) -> Answer:
        async def answer(params: JsonObject, inbound: Inbound) -> JsonObject:
            await self._surface.settle_offers()
            shown, following = self._surface.offers(kind, params.get("cursor"))
            result: JsonObject = {key: shown} | ({"nextCursor": following} if following is not None else {})
            modern = self._call_of(inbound)[0].modern
            return {**result, **self._surface.caching_offers()} if modern else result

        return answer

    async def _get_prompt(self, params: JsonObject, inbound: Inbound) -> JsonObject:
        return await self._routed(self._offerings.get_prompt, params, inbound)

    async def _read(self, params: JsonObject, inbound: Inbound) -> JsonObject:
        result = await self._routed(self._offerings.read, params, inbound)
        caller, _ = self._call_of(inbound)
        return {**_FRESH, **result} if caller.modern and "contents" in result else result

    async def _complete(self, params: JsonObject, inbound: Inbound) -> JsonObject:
        async def complete(given: JsonObject, _on_progress: Any) -> JsonObject:
            return await self._offerings.complete(given)

        return await self._routed(complete, params, inbound)

    async def _routed(
        self, ask: Callable[[JsonObject, Any], Awaitable[JsonObject]], params: JsonObject, inbound: Inbound
    ) -> JsonObject:
        caller, meta = self._call_of(inbound)

        async def send(retry: JsonObject) -> JsonObject:
            return await ask({**params, **retry, "_meta": meta}, inbound.progress)

        calling = CALLER.set(caller)
        try:
            return in_era(await caller.complete(send, {}), modern=caller.modern)
        except RpcError as error:
            if caller.modern and error.code == RESOURCE_NOT_FOUND:
                data = {"uri": params.get("uri"), **(error.data if isinstance(error.data, dict) else {})}
                raise RpcError(INVALID_PARAMS, error.message, data) from error
            raise
        finally:
            CALLER.reset(calling)

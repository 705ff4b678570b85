"""What a host wants to hear of: changed lists and updated resources, asked for in the way of either era."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from typing import Protocol

import anyio

from toolrouter.errors import NotFound, RpcError, UpstreamError
from toolrouter.server.calling import Inbound
from toolrouter.server.exposure import Surface
from toolrouter.server.hosts import UPDATED
from toolrouter.server.offerings import INTERNAL_ERROR
from toolrouter.server.protocol import INVALID_PARAMS, LISTS, SUBSCRIBED, SUBSCRIPTION_KEY, list_changed
from toolrouter.server.router import Router
from toolrouter.server.words import said_of
from toolrouter.types import JsonObject

MAX_WATCHED = 1_000
OnUpdate = Callable[[JsonObject], Awaitable[None]]
Unwatch = Callable[[], Awaitable[None]]


class Notifies(Protocol):
    async def notify(self, method: str, params: JsonObject | None = None) -> None: ...


class Subscriptions:
    """Those of one host."""

    def __init__(self, router: Router, surface: Surface, wire: Notifies, host: Hashable) -> None:
        self._host = host
        self._router = router
        self._surface = surface
        self._wire = wire
        self._watched: dict[str, Unwatch] = {}

    async def subscribe(self, params: JsonObject, inbound: Inbound) -> JsonObject:
        uri = _uri(params)
        if uri not in self._watched:
            if len(self._watched) >= MAX_WATCHED:
                raise RpcError(INVALID_PARAMS, f"Invalid params: no more than {MAX_WATCHED:,} subscriptions")
            self._watched[uri] = await self._watch(uri, self._tell)
        return {}

    async def unsubscribe(self, params: JsonObject, inbound: Inbound) -> JsonObject:
        if (watched := self._watched.pop(_uri(params), None)) is not None:
            await watched()
        return {}

    async def close(self) -> None:
        watched, self._watched = list(self._watched.values()), {}
        with anyio.move_on_after(1, shield=True):
            for each in watched:
                await each()

    async def listen(self, params: JsonObject, inbound: Inbound) -> JsonObject:
        """Serves one subscription until the host cancels it. The acknowledgement is its first word."""
        wanted = params.get("notifications")
        if not isinstance(wanted, dict):
            raise RpcError(INVALID_PARAMS, "Invalid params: subscriptions/listen needs a notifications object")
        meta = {SUBSCRIPTION_KEY: inbound.id}

        async def updated(given: JsonObject) -> None:
            await inbound.notify(UPDATED, {**given, "_meta": meta})

        honoured: JsonObject = {key: True for key in LISTS.values() if wanted.get(key) is True}
        uris = wanted.get("resourceSubscriptions")
        with self._surface.changes() as changes:
            async with self._watching(uris if isinstance(uris, list) else [], updated) as watched:
                if watched:
                    honoured["resourceSubscriptions"] = watched
                await inbound.notify(SUBSCRIBED, {"notifications": honoured, "_meta": meta})
                async for names in changes:
                    for name in LISTS:
                        if name in names and LISTS[name] in honoured:
                            await inbound.notify(list_changed(name), {"_meta": meta})
        return {"_meta": meta}

    async def _tell(self, params: JsonObject) -> None:
        await self._wire.notify(UPDATED, params)

    @asynccontextmanager
    async def _watching(self, uris: list[object], tell: OnUpdate) -> AsyncIterator[list[str]]:
        """Watches those that can be watched."""
        watched: dict[str, Unwatch] = {}
        try:
            for uri in uris[:MAX_WATCHED]:
                if isinstance(uri, str) and uri not in watched:
                    try:
                        watched[uri] = await self._watch(uri, tell)
                    except RpcError:
                        continue  # the acknowledgement says which are honoured
            yield list(watched)
        finally:
            with anyio.move_on_after(1, shield=True):
                for each in watched.values():
                    await each()

    async def _watch(self, uri: str, tell: OnUpdate) -> Unwatch:
        alias, own = await self._router.offerings.locate(uri)

        async def on_update(params: JsonObject) -> None:
            await tell({**params, "uri": uri})

        forget = self._router.hosts.watch(alias, own, on_update, self._host)
        try:
            stop = await self._router.fleet.watch(alias, own)
        except BaseException as error:
            forget()
            if isinstance(error, UpstreamError):
                raise RpcError(INTERNAL_ERROR, said_of(error)) from error
            if isinstance(error, NotFound):
                raise RpcError(INTERNAL_ERROR, str(error)) from error
            raise

        async def unwatch() -> None:
            forget()
            await stop()

        return unwatch


def _uri(params: JsonObject) -> str:
    uri = params.get("uri")
    if not isinstance(uri, str) or not uri:
        raise RpcError(INVALID_PARAMS, "Invalid params: the uri of a resource is missing")
    return uri

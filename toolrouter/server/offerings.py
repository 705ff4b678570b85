"""Prompts, resources and completion: found by qualified or own names, fetched from the server that has them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from toolrouter.catalog.offers import Kind, Offer, fits_template, offers_of, qualified_uri, split_uri
from toolrouter.errors import NotFound, RpcError, UpstreamError
from toolrouter.guard.policy import permits_offer
from toolrouter.ports import OnProgress
from toolrouter.server.finding import MOST, OfferSearch
from toolrouter.server.protocol import INVALID_PARAMS, RESOURCE_NOT_FOUND
from toolrouter.server.words import said_of
from toolrouter.types import JsonObject

if TYPE_CHECKING:
    from toolrouter.server.router import Router

MAX_LINKS = 10_000
INTERNAL_ERROR = -32603


class Offerings:
    """What servers offer beside tools, as hosts reach it. Only what is approved and permitted exists here."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._links: OrderedDict[str, str] = OrderedDict()
        self._search = OfferSearch()

    def listed(self, kind: Kind) -> tuple[Offer, ...]:
        return self._router.catalog.offered(kind)

    async def find(
        self,
        queries: Sequence[str],
        sections: Sequence[str],
        *,
        servers: Collection[str] | None = None,
        limit: int | None = None,
    ) -> dict[str, list[Offer]]:
        """The best of each of these `finding.SECTIONS`, best first. Raises NotFound for what is no enabled server."""
        await self._settle()
        aliases = None if servers is None else {self._router.alias(name) for name in servers}
        catalog, most = self._router.catalog, limit or MOST

        def find_all() -> dict[str, list[Offer]]:
            find = partial(self._search.find, catalog, queries, servers=aliases, limit=most)
            return {section: find(section) for section in sections}

        return await anyio.to_thread.run_sync(find_all)

    async def get_prompt(self, params: JsonObject, on_progress: OnProgress | None) -> JsonObject:
        """The result of `prompts/get`; `params` are the host's. Raises RpcError."""
        offer = await self._prompt(params.get("name"))
        params = {**params, "name": offer.name}
        check = partial(self._check_pin, offer)
        result = await self._send(offer.server, "prompts/get", params, check, on_progress)
        self._router.gates.note_read(offer.server, offer.name, offer.id)
        return result

    async def read(self, params: JsonObject, on_progress: OnProgress | None) -> JsonObject:
        """The result of `resources/read`; asked for by a qualified URI, its contents have qualified URIs too."""
        asked = _text(params, "uri", "resources/read")
        alias, uri = await self.locate(asked)
        params = {**params, "uri": uri}
        result = await self._send(
            alias, "resources/read", params, lambda: self._check_readable(alias, uri, asked), on_progress
        )
        self._router.gates.note_read(alias, uri, qualified_uri(alias, uri))
        return result if uri == asked else {**result, **_requalified(result, alias)}

    async def complete(self, params: JsonObject) -> JsonObject:
        """The result of `completion/complete`. Raises RpcError."""
        ref = params.get("ref")
        given = ref if isinstance(ref, dict) else {}
        if given.get("type") == "ref/prompt":
            offer = await self._prompt(given.get("name"))
            alias, inner = offer.server, {**given, "name": offer.name}
            check = partial(self._check_pin, offer)
        elif given.get("type") == "ref/resource":
            asked = _text(given, "uri", "completion/complete")
            alias, uri = await self.locate(asked)
            inner = {**given, "uri": uri}
            check = partial(self._check_readable, alias, uri, asked)
        else:
            raise RpcError(INVALID_PARAMS, "Invalid params: completion needs a ref to a prompt or to a resource")
        return await self._send(alias, "completion/complete", {**params, "ref": inner}, check)

    async def locate(self, uri: str) -> tuple[str, str]:
        """The server that has a resource, and that server's own URI for it. Raises RpcError."""
        await self._settle()
        catalog = self._router.catalog
        qualified = split_uri(uri, list(self._router.settings.enabled()))
        if qualified is not None:
            if self._may_read(*qualified):
                return qualified
            raise self._unknown(uri)
        owners = {offer.server for offer in self._all(Kind.RESOURCE, Kind.TEMPLATE) if offer.name == uri}
        owners = owners or {offer.server for offer in self._all(Kind.TEMPLATE) if fits_template(offer.name, uri)}
        if not owners and uri in self._links:
            owners = {self._links[uri]}
        if not owners:
            # Servers may serve more than they list; with one that serves resources there is no doubt whose it is.
            owners = {alias for alias, known in catalog.servers.items() if "resources" in known.capabilities}
        candidates = sorted(alias for alias in owners if self._may_read(alias, uri))
        if len(candidates) != 1:
            raise self._unknown(uri)
        return candidates[0], uri

    def remember_links(self, alias: str, result: JsonObject) -> None:
        """Notes whose the resources are that a result points to: hosts read them by these very URIs."""
        content = result.get("content")
        for block in content if isinstance(content, list) else ():
            if isinstance(block, dict) and isinstance(uri := _uri_of(block), str):
                self._links[uri] = alias
                self._links.move_to_end(uri)
        while len(self._links) > MAX_LINKS:
            self._links.popitem(last=False)

    def _may_read(self, alias: str, uri: str) -> bool:
        """Not what is offered and not approved; and nothing of a server of which nothing is approved.

        What a server does not list, it may serve all the same, as far as `allow` and `deny` let it.
        """
        catalog = self._router.catalog
        server = catalog.servers.get(alias)
        visible = catalog.offers.get(alias, ())
        if server is None or not (visible or any(tool.server == alias for tool in catalog.visible)):
            return False
        if any(offer.covers(uri) for offer in visible):
            return not any(offer.is_resource(uri) and offer not in visible for offer in offers_of(server))
        unlisted = Offer(Kind.RESOURCE, alias, uri, qualified_uri(alias, uri), {}, "")
        permits = permits_offer(self._router.settings)
        return permits(unlisted) and not any(offer.covers(uri) for offer in offers_of(server))

    async def _prompt(self, name: object) -> Offer:
        if not isinstance(name, str):
            raise RpcError(INVALID_PARAMS, "Invalid params: the name of a prompt is missing")
        await self._settle()
        prompts = self.listed(Kind.PROMPT)
        found = [offer for offer in prompts if offer.id == name] or [offer for offer in prompts if offer.name == name]
        if len(found) != 1:
            raise RpcError(INVALID_PARAMS, f"Unknown prompt: {name[:200]}")
        return found[0]

    async def _settle(self) -> None:
        if not self._router.is_warm:
            await self._router.wait_settled()

    def _all(self, *kinds: Kind) -> Iterator[Offer]:
        for kind in kinds:
            yield from self.listed(kind)

    def _check_pin(self, offer: Offer) -> None:
        """Starting a server lists it: what it offers now must still be what was approved."""
        if all((now.id, now.hash) != (offer.id, offer.hash) for now in self.listed(offer.kind)):
            raise RpcError(INVALID_PARAMS, f"Prompt {offer.id} is no longer what it was: its server changed it")

    def _check_readable(self, alias: str, uri: str, asked: str) -> None:
        if not self._may_read(alias, uri):
            raise self._unknown(asked)

    async def _send(
        self,
        alias: str,
        method: str,
        params: JsonObject,
        check: Callable[[], None],
        on_progress: OnProgress | None = None,
    ) -> JsonObject:
        try:
            return await self._router.forward(alias, method, params, on_progress, check)
        except UpstreamError as error:
            raise RpcError(INTERNAL_ERROR, said_of(error)) from error
        except NotFound as error:
            raise RpcError(INTERNAL_ERROR, str(error)) from error

    def _unknown(self, uri: str) -> RpcError:
        return RpcError(RESOURCE_NOT_FOUND, f"Resource not found: {uri[:500]}", {"uri": uri})


def _requalified(result: JsonObject, alias: str) -> JsonObject:
    contents = result.get("contents")
    if not isinstance(contents, list):
        return {}
    return {"contents": [_with_qualified_uri(part, alias) for part in contents]}


def _with_qualified_uri(part: Any, alias: str) -> Any:
    uri = part.get("uri") if isinstance(part, dict) else None
    return {**part, "uri": qualified_uri(alias, uri)} if isinstance(uri, str) else part


def _uri_of(block: JsonObject) -> object:
    if block.get("type") == "resource" and isinstance(block.get("resource"), dict):
        return block["resource"].get("uri")
    return block.get("uri") if block.get("type") == "resource_link" else None


def _text(params: JsonObject, key: str, method: str) -> str:
    found = params.get(key)
    if not isinstance(found, str) or not found:
        raise RpcError(INVALID_PARAMS, f"Invalid params: {method} needs a {key}")
    return found

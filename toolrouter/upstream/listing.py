"""Asks an upstream for everything it offers: all pages, within limits of number, size and time."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field, replace

import anyio

from toolrouter.config import Limits
from toolrouter.errors import RpcError, UpstreamError, UpstreamTimeout
from toolrouter.types import JsonObject, Listing, Refusal
from toolrouter.upstream.connection import Connection
from toolrouter.upstream.normalise import normalise, normalise_offers

logger = logging.getLogger(__name__)

OFFERED = (
    ("prompts/list", "prompts", "name", "prompts"),
    ("resources/list", "resources", "uri", "resources"),
    ("resources/templates/list", "resourceTemplates", "uriTemplate", "resources"),
)
"""Method, key of the list in its result, the field that names an item, and the capability it needs."""

EXTRAS_TIMEOUT_S = 10.0
"""For prompts and resources, which may never hold up the tools for long."""


@dataclass(slots=True)
class _Pages:
    items: list[object] = field(default_factory=list)
    bytes: int = 0
    """About what all but the last page took on the wire; one page is one message, which has its own bound."""
    ttl_s: float | None = None
    cut: str = ""
    """Why reading stopped before the end, if it did."""


async def list_upstream(connection: Connection, limits: Limits, *, launch_hash: str = "") -> Listing:
    """Everything the upstream offers now. An error of prompts or resources leaves only those out.

    Raises:
        UpstreamError: the tools could not be listed, not within `limits.list_timeout_s`, or are more than
            `limits.max_message_bytes` altogether.
    """
    pages = await _tool_pages(connection, limits)
    alias = connection.server.alias
    tools, refused = normalise(alias, pages.items, modern=connection.modern)
    if pages.cut:
        refused.append(Refusal(alias, "(further tools)", pages.cut))
    connection.carrier.learn_headers(tools)
    offers = await _offers(connection, limits)
    server = replace(
        connection.server, launch_hash=launch_hash, listed_at=time.time(), ttl_s=pages.ttl_s, offers=offers
    )
    return Listing(server, tools, refused)


async def _tool_pages(connection: Connection, limits: Limits) -> _Pages:
    alias = connection.server.alias
    try:
        with anyio.fail_after(limits.list_timeout_s):
            return await _read_pages(connection, "tools/list", "tools", limits)
    except TimeoutError as error:
        raise UpstreamTimeout(alias, f"{alias} did not list its tools in {limits.list_timeout_s:g} s") from error
    except RpcError as error:
        if "tools" not in connection.server.capabilities:
            return _Pages()  # a server of prompts or resources alone
        raise UpstreamError(alias, f"{alias} cannot list its tools: {error.message} ({error.code})") from error


async def _offers(connection: Connection, limits: Limits) -> dict[str, list[JsonObject]]:
    capabilities = connection.server.capabilities
    found: dict[str, list[JsonObject]] = {}

    async def fetch(method: str, key: str, name: str) -> None:
        try:
            with anyio.fail_after(min(EXTRAS_TIMEOUT_S, limits.list_timeout_s)):
                pages = await _read_pages(connection, method, key, limits)
            found[key] = normalise_offers(pages.items, name)
        except (RpcError, UpstreamError, TimeoutError) as error:
            logger.info("%s: %s failed: %s", connection.server.alias, method, error)

    async with anyio.create_task_group() as tasks:
        for method, key, name, capability in OFFERED:
            if capability in capabilities:
                tasks.start_soon(fetch, method, key, name)
    return {key: found[key] for _, key, _, _ in OFFERED if found.get(key)}


async def _read_pages(connection: Connection, method: str, key: str, limits: Limits) -> _Pages:
    pages = _Pages()
    seen: set[str] = set()
    cursor: str | None = None
    for _ in range(limits.max_pages):
        params: JsonObject = {} if cursor is None else {"cursor": cursor}
        result = await connection.request(method, params, timeout_s=limits.list_timeout_s)
        _take_page(pages, result, method, key, connection.server.alias)
        found = result.get("nextCursor")
        if not isinstance(found, str) or not found:
            return _limited(pages, limits)
        if found in seen:
            pages.cut = f"{method} came back to a page that it had already sent"
            return _limited(pages, limits)
        if len(pages.items) > limits.max_tools_per_server:
            return _limited(pages, limits)
        _weigh(pages, result, method, connection.server.alias, limits)
        seen.add(found)
        cursor = found
    pages.cut = f"{method} has more than {limits.max_pages} pages"
    return _limited(pages, limits)


def _take_page(pages: _Pages, result: JsonObject, method: str, key: str, alias: str) -> None:
    items = result.get(key)
    if not isinstance(items, list):
        raise UpstreamError(alias, f"{alias} answered {method} without a list of {key}")
    pages.items.extend(items)
    ttl = result.get("ttlMs")
    if isinstance(ttl, int | float) and not isinstance(ttl, bool) and ttl >= 0:
        pages.ttl_s = min(ttl / 1000, pages.ttl_s if pages.ttl_s is not None else ttl / 1000)


def _weigh(pages: _Pages, result: JsonObject, method: str, alias: str, limits: Limits) -> None:
    """A part of it is no listing: what is missing would count as withdrawn by the server. Raises UpstreamError."""
    pages.bytes += len(json.dumps(result, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))
    most = limits.max_message_bytes
    if pages.bytes > most:
        words = f"{alias} answers {method} with more than {most:,} bytes and goes on: what it listed before stays"
        raise UpstreamError(alias, f"{words}. If you trust it with more memory, raise `limits.max_message_bytes`")


def _limited(pages: _Pages, limits: Limits) -> _Pages:
    most = limits.max_tools_per_server
    if len(pages.items) > most:
        del pages.items[most:]
        pages.cut = f"only the first {most:,} are taken (`limits.max_tools_per_server`)"
    return pages

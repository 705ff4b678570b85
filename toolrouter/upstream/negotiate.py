"""Which protocol era to speak with an upstream, and what it says about itself.

A server that was never reached is asked `server/discover` (2026-07-28) first, because only the new era carries a
server's questions to the host whose call caused them, and the client's abilities with each call. Asking is cheap and
happens once, since the answer is remembered as the era hint: an older server says "method not found" in milliseconds;
one that says nothing (slow to start, or ignoring what it does not know) gets `initialize` as well after `PROBE_S`, on
the same process, and whichever is answered decides. One that dies of the question is started anew by `connect` and
asked `initialize` only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from toolrouter.config import Limits
from toolrouter.errors import LoginNeeded, RpcError, UpstreamError, UpstreamTimeout
from toolrouter.types import JsonObject, Server
from toolrouter.upstream.carrier import LOGIN, NO_CONNECTION, failure_of
from toolrouter.upstream.connection import CLIENT_INFO, HANDSHAKE, META, MODERN, Connection

UNSUPPORTED_VERSION = -32022
PROBE_S = 3.0
"""How long `server/discover` is waited for before `initialize` is sent as well."""


def is_handshake(hint: str) -> bool:
    return bool(hint) and hint < MODERN


async def negotiate(connection: Connection, limits: Limits, *, era_hint: str) -> None:
    """Settles the era and fills in `connection.server`. Raises UpstreamError or UpstreamTimeout."""
    try:
        with anyio.fail_after(limits.connect_timeout_s):
            if is_handshake(era_hint):
                await _negotiate_handshake_first(connection, limits)
            else:
                await _negotiate_probe_first(connection, limits)
    except TimeoutError as error:
        words = f"{connection.server.alias} did not answer within {limits.connect_timeout_s:g} s"
        last = connection.carrier.post_mortem()
        raise UpstreamTimeout(connection.server.alias, f"{words}; {last}" if last else words) from error
    except RpcError as error:
        alias = connection.server.alias
        failure = failure_of(error.data)
        if failure == LOGIN:
            raise LoginNeeded(alias, f"{alias}: {error.message}") from error
        if failure == NO_CONNECTION:
            raise UpstreamError(alias, f"{alias}: {error.message}") from error
        words = error.message if failure else f"{error.message} ({error.code})"
        raise UpstreamError(alias, f"{alias} refused the connection: {words}") from error


async def _negotiate_handshake_first(connection: Connection, limits: Limits) -> None:
    try:
        result = await _initialize(connection, limits)
    except RpcError as refusal:
        try:
            found = await _discover(connection, limits)
        except RpcError:
            raise refusal from None
        if not _adopt_modern(connection, found):
            raise
        return
    await _adopt_handshake(connection, result)


async def _negotiate_probe_first(connection: Connection, limits: Limits) -> None:
    answers: dict[str, JsonObject | RpcError | UpstreamError] = {}
    news = anyio.Event()

    async def ask(method: str, question: Callable[[Connection, Limits], Awaitable[JsonObject]]) -> None:
        nonlocal news
        try:
            answers[method] = await question(connection, limits)
        except (RpcError, UpstreamError) as error:
            answers[method] = error
        news.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, "discover", _discover)
        with anyio.move_on_after(PROBE_S):
            await news.wait()
        if not _decided(answers):
            tasks.start_soon(ask, "initialize", _initialize)
        while not _decided(answers):
            news = anyio.Event()
            await news.wait()
        tasks.cancel_scope.cancel()
    await _adopt(connection, answers)


def _decided(answers: dict[str, Any]) -> bool:
    discover, initialize = answers.get("discover"), answers.get("initialize")
    if isinstance(initialize, dict | UpstreamError) or isinstance(discover, UpstreamError):
        return True
    return _is_modern(discover) or (discover is not None and initialize is not None)


async def _adopt(connection: Connection, answers: dict[str, JsonObject | RpcError | UpstreamError]) -> None:
    discover, initialize = answers.get("discover"), answers.get("initialize")
    if isinstance(discover, dict) and _adopt_modern(connection, discover):
        return
    if isinstance(initialize, dict):
        await _adopt_handshake(connection, initialize)
        return
    for failure in (initialize, discover):
        if isinstance(failure, Exception):
            raise failure
    raise UpstreamError(connection.server.alias, f"{connection.server.alias} speaks no known protocol version")


async def _discover(connection: Connection, limits: Limits) -> JsonObject:
    envelope = {
        META + "protocolVersion": MODERN,
        META + "clientInfo": CLIENT_INFO,
        META + "clientCapabilities": connection.capabilities,
    }
    params: JsonObject = {"_meta": envelope}
    try:
        return await _ask(connection, "server/discover", params, limits)
    except RpcError as refusal:
        if not _offers_modern(refusal):
            raise
        return await _ask(connection, "server/discover", params, limits)


def _offers_modern(refusal: RpcError) -> bool:
    """A version that is refused and offered in one breath is to be asked for once more (2026-07-28, versioning)."""
    offered = refusal.data.get("supported") if isinstance(refusal.data, dict) else None
    return refusal.code == UNSUPPORTED_VERSION and isinstance(offered, list) and MODERN in offered


async def _initialize(connection: Connection, limits: Limits) -> JsonObject:
    offer = {
        "protocolVersion": HANDSHAKE,
        "capabilities": connection.capabilities,
        "clientInfo": CLIENT_INFO,
    }
    return await _ask(connection, "initialize", offer, limits)


async def _ask(connection: Connection, method: str, params: JsonObject, limits: Limits) -> JsonObject:
    try:
        return await connection.link.request(method, params, timeout_s=limits.connect_timeout_s)
    except UpstreamTimeout:
        raise
    except UpstreamError as error:
        raise UpstreamError(error.server, await connection.explain(str(error))) from error


def _is_modern(answer: object) -> bool:
    versions = answer.get("supportedVersions") if isinstance(answer, dict) else None
    return isinstance(versions, list) and MODERN in versions


def _adopt_modern(connection: Connection, result: JsonObject) -> bool:
    if not _is_modern(result):
        return False
    meta = result.get("_meta")
    info = meta.get(META + "serverInfo") if isinstance(meta, dict) else None
    connection.modern = True
    connection.server = _described(connection.server.alias, MODERN, result, info)
    connection.carrier.protocol_version = MODERN
    return True


async def _adopt_handshake(connection: Connection, result: JsonObject) -> None:
    agreed = str(result.get("protocolVersion") or HANDSHAKE)
    connection.server = _described(connection.server.alias, agreed, result, result.get("serverInfo"))
    connection.carrier.protocol_version = agreed
    await connection.link.notify("notifications/initialized")


def _described(alias: str, protocol_version: str, result: JsonObject, info: object) -> Server:
    info = info if isinstance(info, dict) else {}
    capabilities = result.get("capabilities")
    return Server(
        alias,
        title=_text(info.get("title")) or _text(info.get("name")),
        version=_text(info.get("version")),
        instructions=_text(result.get("instructions")),
        protocol_version=protocol_version,
        capabilities=capabilities if isinstance(capabilities, dict) else {},
        server_info=info,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""

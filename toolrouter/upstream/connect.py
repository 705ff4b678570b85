"""Opens connections: the transport, its owner task, the negotiation, and the second try in the older era."""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import TaskStatus

from toolrouter.config import Limits, Transport, UpstreamSpec
from toolrouter.errors import RpcError, ToolrouterError, UpstreamError, UpstreamTimeout
from toolrouter.types import JsonObject
from toolrouter.upstream.carrier import Carrier, failure_of
from toolrouter.upstream.connection import HANDSHAKE, Connection, ReverseHandlers
from toolrouter.upstream.negotiate import is_handshake, negotiate
from toolrouter.upstream.stdio import open_stdio
from toolrouter.wire.jsonrpc import METHOD_NOT_FOUND, Inbound, Peer
from toolrouter.wire.lines import LineFault

logger = logging.getLogger(__name__)

SSE_INSTEAD = frozenset({400, 404, 405})
"""What servers that know only legacy SSE answer to a POST, by the specification."""

FLOOD_FAULTS = 2_000
FLOOD_S = 10.0
"""So many faults in so short a time end a connection: reading them would starve the others."""


@asynccontextmanager
async def connect(
    alias: str,
    spec: UpstreamSpec,
    limits: Limits,
    *,
    handlers: ReverseHandlers | None = None,
    era_hint: str = "",
    home: Path | None = None,
) -> AsyncIterator[Connection]:
    """Opens and negotiates; leaving closes it and ends the process. Enter and leave in the same task.

    `home`: where logins are kept; without it none is sent.

    Raises:
        UpstreamError: cannot be started or reached, or refuses; the message has its last words.
        UpstreamTimeout: no answer within `limits.connect_timeout_s`.
    """
    if spec.unusable:
        raise UpstreamError(alias, f"{alias}: {spec.unusable}")
    handlers = handlers or ReverseHandlers()
    async with AsyncExitStack() as stack:
        try:
            connection = await _reach(stack, _opened(alias, spec, limits, handlers, home), spec, limits, era_hint)
        except _TryOtherwise as first:
            logger.info("%s; trying again over %s", first, first.spec.transport)
            await stack.aclose()
            try:
                opened = _opened(alias, first.spec, limits, handlers, home)
                connection = await _reach(stack, opened, first.spec, limits, HANDSHAKE)
            except UpstreamError as second:
                # A wrong address answers nothing over SSE either: then the first answer says more.
                raise (second if spec.transport is Transport.STDIO else first) from second
        yield connection


class _TryOtherwise(UpstreamError):
    """That way failed, but `spec` in the handshake era may work."""

    def __init__(self, error: UpstreamError, spec: UpstreamSpec) -> None:
        super().__init__(error.server, str(error))
        self.spec = spec


async def _reach(
    stack: AsyncExitStack,
    opened: AbstractAsyncContextManager[Connection],
    spec: UpstreamSpec,
    limits: Limits,
    era_hint: str,
) -> Connection:
    connection = await stack.enter_async_context(opened)
    try:
        await negotiate(connection, limits, era_hint=HANDSHAKE if spec.transport is Transport.SSE else era_hint)
    except UpstreamTimeout:
        raise
    except UpstreamError as error:
        if spec.transport is Transport.STDIO and connection.broken and not is_handshake(era_hint):
            raise _TryOtherwise(error, spec) from error  # it died of the question for the new era
        if spec.transport is Transport.HTTP and spec.type is None and _speaks_no_streamable_http(error):
            raise _TryOtherwise(error, spec.model_copy(update={"type": "sse"})) from error
        raise
    return connection


def _speaks_no_streamable_http(error: UpstreamError) -> bool:
    cause = error.__cause__
    return isinstance(cause, RpcError) and failure_of(cause.data) == "refused" and cause.data["status"] in SSE_INSTEAD


def launch_hash(spec: UpstreamSpec) -> str:
    """Identifies what is started or reached; values of env and headers do not count, their names do."""
    names = [sorted(spec.env), sorted(spec.headers)]
    parts = [spec.command, list(spec.args), spec.cwd, spec.url, spec.transport.value, *names]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()


@contextmanager
def _one_error() -> Iterator[None]:
    """Task groups wrap what their body raises; callers get the error itself."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise _first_leaf(group) from group


def _first_leaf(group: BaseExceptionGroup[BaseException]) -> BaseException:
    ours, rest = group.split(ToolrouterError)
    found: BaseException = ours or rest or group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


@asynccontextmanager
async def _opened(
    alias: str, spec: UpstreamSpec, limits: Limits, handlers: ReverseHandlers, home: Path | None
) -> AsyncIterator[Connection]:
    with _one_error():
        async with anyio.create_task_group() as tasks:
            try:
                with anyio.fail_after(limits.connect_timeout_s):
                    transport = await _transport(alias, spec, limits, home)
                    connection: Connection = await tasks.start(_carry, alias, transport, handlers)
            except TimeoutError as error:
                raise UpstreamTimeout(
                    alias, f"{alias} could not be reached in {limits.connect_timeout_s:g} s"
                ) from error
            try:
                yield connection
            finally:
                # In its own time first: a program may need it, and a session over HTTP is ended by a request.
                connection.close("toolrouter closed the connection")
                with anyio.move_on_after(limits.stop_timeout_s + 1, shield=True):
                    await connection.closed.wait()
                tasks.cancel_scope.cancel()


async def _transport(
    alias: str, spec: UpstreamSpec, limits: Limits, home: Path | None
) -> AbstractAsyncContextManager[Carrier]:
    opened: AbstractAsyncContextManager[Carrier]
    match spec.transport:
        case Transport.STDIO:
            opened = open_stdio(alias, spec, limits)
        case Transport.SSE:
            opened = (await _imported("toolrouter.upstream.sse")).open_sse(alias, spec, limits, home)
        case Transport.HTTP:
            opened = (await _imported("toolrouter.upstream.http")).open_http(alias, spec, limits, home)
    return opened


async def _imported(module: str) -> Any:
    # Importing an HTTP stack takes seconds; in a thread it holds up nobody.
    return await anyio.to_thread.run_sync(importlib.import_module, module)


async def _carry(
    alias: str,
    transport: AbstractAsyncContextManager[Carrier],
    handlers: ReverseHandlers,
    *,
    task_status: TaskStatus[Connection],
) -> None:
    """Owns the transport from opening to closing; a failure of it is noted, not raised, once it is open."""
    connection: Connection | None = None
    try:
        async with transport as carrier:
            connection = _wired(alias, carrier, handlers)
            task_status.started(connection)
            await connection.peer.run()
    except Exception as error:  # the supervisor of one connection: SDK transports raise groups of anything
        reason = _words(_first_leaf(error) if isinstance(error, BaseExceptionGroup) else error)
        if connection is None:
            raise error if isinstance(error, UpstreamError) else UpstreamError(alias, f"{alias}: {reason}") from error
        connection.failure = reason
    finally:
        if connection is not None:
            connection.closed.set()


def _wired(alias: str, carrier: Carrier, handlers: ReverseHandlers) -> Connection:
    async def answer(method: str, params: JsonObject, inbound: Inbound) -> JsonObject:
        if method == "ping":
            return {}
        if handlers.on_request is None:
            raise RpcError(METHOD_NOT_FOUND, f"toolrouter does not serve {method}")
        return await handlers.on_request(method, params, inbound)

    recent: deque[float] = deque(maxlen=FLOOD_FAULTS)

    def on_fault(fault: LineFault) -> None:
        carrier.note(fault.excerpt)
        now = anyio.current_time()
        if len(recent) == FLOOD_FAULTS and now - recent[0] < FLOOD_S:
            peer.close(f"it floods its output with what is no MCP message: {fault}")
        recent.append(now)

    peer = Peer(
        alias,
        carrier.messages,
        carrier.send,
        on_request=answer,
        on_notification=handlers.on_notification,
        on_fault=on_fault,
    )
    return Connection(alias, carrier, peer, handlers.capabilities)


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__

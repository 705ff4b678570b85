"""Serves hosts over Streamable HTTP, both eras, through the MCP SDK's transport.

The SDK parses HTTP and keeps the connections; what is answered comes from the same sessions as on stdio. A middleware
answers every request before the SDK validates or rewrites it, so that results stay the JSON that upstreams sent. It
and `events` know the SDK's server side; of its internals they use the connection and the channel of a request.
"""

from __future__ import annotations

import logging
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import TaskStatus

from toolrouter import __version__
from toolrouter.errors import ConfigError, NotFound, RpcError
from toolrouter.server.events import RETRY_MS, give_each_session_its_events
from toolrouter.server.exposure import Surface
from toolrouter.server.http_guard import Guard, is_loopback
from toolrouter.server.meta_tools import MetaTools
from toolrouter.server.protocol import is_modern
from toolrouter.server.router import Router
from toolrouter.server.session import Era, HostSession
from toolrouter.server.signals import on_stop_signal
from toolrouter.types import JsonObject, Tool
from toolrouter.wire.waiter import ASKING_S

if TYPE_CHECKING:
    import uvicorn
    from mcp.server.connection import Connection
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
    from starlette.types import ASGIApp

logger = logging.getLogger(__name__)

PATH = "/mcp"
_SESSION = "toolrouter.session"
_LAST_ANSWERS_S = 2
_ANNOUNCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where hosts reach a running HTTP server, and with what."""

    url: str
    token: str


async def serve_http(
    router: Router, host: str, port: int, *, task_status: TaskStatus[Endpoint] = anyio.TASK_STATUS_IGNORED
) -> None:
    """Serves until cancelled, or until SIGTERM or SIGINT. Port 0 takes a free one; `task_status` gets the endpoint.

    Raises:
        ConfigError: the address cannot be used, or it is open to others and no token is configured.
    """
    settings = router.settings.router.http
    if not settings.token and not is_loopback(host):
        raise ConfigError(
            f"{host} can be reached from other machines: set `toolrouter.http.token` in the config "
            "(for example to ${TOOLROUTER_TOKEN}), or serve on 127.0.0.1"
        )
    listener = _bind(host, port)
    endpoint = Endpoint(_url(host, listener), settings.token or secrets.token_urlsafe(24))
    gateway = _Gateway(router)
    server = _uvicorn_server(Guard(gateway.app(), host, endpoint.token, settings))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gateway.announce_changes)
        tasks.start_soon(_stop_when_cancelled, server)
        await tasks.start(on_stop_signal, partial(setattr, server, "should_exit", True))
        _say_where(endpoint, made=not settings.token)
        task_status.started(endpoint)
        # Cancelled in the middle, uvicorn would leave tasks behind; told to exit, it ends within a bounded time.
        with anyio.CancelScope(shield=True):
            await server.serve(sockets=[listener])
        tasks.cancel_scope.cancel()


class _Gateway:
    """Answers what the SDK receives, one session per handshake connection and one per request of the new era."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._surface = Surface(router)
        self._meta_tools = MetaTools(router)
        self._sessions: set[HostSession] = set()

    def app(self) -> ASGIApp:
        from mcp.server.lowlevel import Server
        from mcp.server.transport_security import TransportSecuritySettings

        server: Server[Any] = Server("toolrouter", version=__version__, get_tool_input_schema=self._input_schema)
        server.middleware[:] = [self._answer]
        app = server.streamable_http_app(
            streamable_http_path=PATH,
            retry_interval=RETRY_MS,
            max_request_body_size=self._router.settings.router.limits.max_message_bytes,
            # Host and Origin are checked by our own guard, which also knows the configured names.
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        give_each_session_its_events(server.session_manager)
        return app

    async def announce_changes(self) -> None:
        with self._surface.changes() as changes:
            async for names in changes:
                for session in list(self._sessions):
                    with anyio.move_on_after(_ANNOUNCE_S):
                        await session.announce_change(names)

    async def _answer(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        from mcp.shared.exceptions import MCPError

        params = dict(ctx.params or {})
        session = self._session_of(ctx)
        if ctx.request_id is None:
            await session.on_notification(ctx.method, params)
            return await call_next(ctx)  # the SDK notes `initialized`
        try:
            async with self._polling(ctx):
                return await session.handle(ctx.method, params, _HttpInbound(ctx, params))
        except RpcError as error:
            raise MCPError(error.code, error.message, error.data) from error

    @asynccontextmanager
    async def _polling(self, ctx: ServerRequestContext[Any, Any]) -> AsyncIterator[None]:
        """Closes the stream of a request that takes long, where that is wanted and the host can come back for it."""
        after_s, close = self._router.settings.router.http.poll_after_s, ctx.close_sse_stream
        if after_s is None or close is None:
            yield
            return

        async def close_later() -> None:
            await anyio.sleep(after_s)
            await close()

        failure: RpcError | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(close_later)
            try:
                yield
            except RpcError as error:
                failure = error
            tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure

    def _session_of(self, ctx: ServerRequestContext[Any, Any]) -> HostSession:
        if is_modern(ctx.protocol_version):
            return self._new_session(ctx, Era.MODERN)
        connection = _connection_of(ctx)
        session: HostSession | None = connection.state.get(_SESSION)
        if session is None:
            session = connection.state[_SESSION] = self._new_session(ctx, Era.HANDSHAKE)
            self._sessions.add(session)
            connection.exit_stack.callback(self._sessions.discard, session)
            connection.exit_stack.push_async_callback(session.close)
        return session

    def _new_session(self, ctx: ServerRequestContext[Any, Any], era: Era) -> HostSession:
        return HostSession(self._router, self._surface, self._meta_tools, _HttpWire(_connection_of(ctx)), era=era)

    def _input_schema(self, name: str) -> Mapping[str, Any] | None:
        """What the SDK checks `Mcp-Param-*` headers against; meta-tools declare none."""
        if name in self._meta_tools:
            return None
        try:
            tool: Tool = self._router.catalog.find(name)
            return tool.input_schema
        except NotFound:
            return None


class _HttpWire:
    """What reaches a host beside its requests; satisfies `session.Wire`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def notify(self, method: str, params: JsonObject | None = None) -> None:
        await self._connection.outbound.notify(method, params)

    async def ask(self, method: str, params: JsonObject) -> JsonObject:
        return await _asked(self._connection.outbound, method, params)


async def _asked(channel: Any, method: str, params: JsonObject) -> JsonObject:
    from mcp.shared.exceptions import MCPError

    try:
        found: JsonObject = await channel.send_raw_request(method, params, {"timeout": ASKING_S})
    except MCPError as error:
        raise RpcError(error.code, error.message, error.data) from error
    return found


class _HttpInbound:
    """One request of a host; satisfies `session.Inbound`."""

    def __init__(self, ctx: ServerRequestContext[Any, Any], params: JsonObject) -> None:
        self._channel = ctx.session._request_outbound
        meta = params.get("_meta")
        self.meta: JsonObject = meta if isinstance(meta, dict) else {}
        self.id: str | int = ctx.request_id if ctx.request_id is not None else ""

    async def notify(self, method: str, params: JsonObject | None = None) -> None:
        await self._channel.notify(method, params)

    async def ask(self, method: str, params: JsonObject) -> JsonObject:
        return await _asked(self._channel, method, params)

    async def progress(self, params: JsonObject) -> None:
        token = self.meta.get("progressToken")
        if isinstance(token, str | int):
            await self.notify("notifications/progress", {**params, "progressToken": token})


def _connection_of(ctx: ServerRequestContext[Any, Any]) -> Connection:
    """The connection that a request came on. The SDK keeps it private; the alternative is the session id header, which
    the first request does not carry.
    """
    return ctx.session._connection


def _bind(host: str, port: int) -> socket.socket:
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        # Accepted sockets inherit it. The event loop sets it only on sockets it made itself, and without it every
        # answer waits 40 ms for an acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(f"Cannot serve on {host}:{port}: {reason}. Choose another host or port.") from error


def _url(host: str, listener: socket.socket) -> str:
    port = listener.getsockname()[1]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{PATH}"


def _say_where(endpoint: Endpoint, *, made: bool) -> None:
    hint = f"{endpoint.token}  (made for this run; set toolrouter.http.token to keep one)" if made else "<your token>"
    sys.stderr.write(f"toolrouter serves at {endpoint.url}\n  Authorization: Bearer {hint}\n")
    sys.stderr.flush()


def _uvicorn_server(app: ASGIApp) -> uvicorn.Server:
    import uvicorn

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            # Uvicorn raises a signal again once it has stopped, and the process would end before the upstreams.
            yield

    config = uvicorn.Config(
        app,
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_LAST_ANSWERS_S,
    )
    return Server(config)


async def _stop_when_cancelled(server: uvicorn.Server) -> None:
    with suppress(anyio.get_cancelled_exc_class()):
        await anyio.sleep_forever()
    server.should_exit = True

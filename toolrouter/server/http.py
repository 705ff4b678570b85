"""Serves hosts over Streamable HTTP, both eras on one address, from the same sessions as on stdio."""

from __future__ import annotations

import logging
import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskStatus

from toolrouter.errors import ConfigError
from toolrouter.server.exposure import Surface
from toolrouter.server.http_guard import Guard, is_loopback
from toolrouter.server.http_modern import ModernHosts
from toolrouter.server.http_sessions import HttpSessions
from toolrouter.server.meta_tools import MetaTools
from toolrouter.server.protocol import HANDSHAKE_VERSIONS
from toolrouter.server.router import Router
from toolrouter.server.session import Era, HostSession, Wire
from toolrouter.server.signals import on_stop_signal

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp, Receive, Scope, Send

logger = logging.getLogger(__name__)

PATH = "/mcp"
VERSION_HEADER = b"mcp-protocol-version"
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
    server = _uvicorn_server(Guard(gateway, host, endpoint.token, settings))
    async with anyio.create_task_group() as tasks:
        await tasks.start(gateway.run)
        tasks.start_soon(_stop_when_cancelled, server)
        await tasks.start(on_stop_signal, partial(setattr, server, "should_exit", True))
        _say_where(endpoint, made=not settings.token)
        task_status.started(endpoint)
        # Cancelled in the middle, uvicorn would leave tasks behind; told to exit, it ends within a bounded time.
        with anyio.CancelScope(shield=True):
            await server.serve(sockets=[listener])
        tasks.cancel_scope.cancel()


class _Gateway:
    """Lets in hosts of either era: sessions of our own for the handshake, the SDK for 2026-07-28."""

    def __init__(self, router: Router) -> None:
        surface, meta_tools = Surface(router), MetaTools(router)
        self._surface = surface

        def for_handshake(wire: Wire) -> HostSession:
            return HostSession(router, surface, meta_tools, wire, era=Era.HANDSHAKE)

        settings = router.settings.router
        limit = settings.limits.max_message_bytes
        self._sessions = HttpSessions(for_handshake, limit, lambda: router.settings.router.http.poll_after_s)
        self._modern = ModernHosts(router, surface, meta_tools, limit)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Serves hosts until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._announce_changes)
            tasks.start_soon(self._modern.run)
            await tasks.start(self._sessions.run)
            task_status.started()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] != PATH:
            await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
            return
        version = next((value.decode("latin-1") for name, value in scope["headers"] if name == VERSION_HEADER), None)
        host = self._sessions if version is None or version in HANDSHAKE_VERSIONS else self._modern
        await host(scope, receive, send)

    async def _announce_changes(self) -> None:
        with self._surface.changes() as changes:
            async for names in changes:
                for session in self._sessions.hosts:
                    with anyio.move_on_after(_ANNOUNCE_S):
                        await session.announce_change(names)


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
        lifespan="off",
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

"""Hosts of 2026-07-28 over Streamable HTTP, through the MCP SDK's transport: one exchange for each request.

The SDK parses HTTP and compares headers with bodies; a middleware answers every request before the SDK validates or
rewrites it, so that results stay the JSON that upstreams sent. Importing the SDK takes seconds: the first such host
waits for it, and no other does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from toolrouter import __version__
from toolrouter.errors import NotFound, RpcError
from toolrouter.server.exposure import Surface
from toolrouter.server.meta_tools import MetaTools
from toolrouter.server.protocol import INVALID_REQUEST
from toolrouter.server.router import Router
from toolrouter.server.session import Era, HostSession
from toolrouter.types import JsonObject, Tool

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from starlette.types import Receive, Scope, Send


class ModernHosts:
    """Answers what the SDK receives, with a session for each request."""

    def __init__(self, router: Router, surface: Surface, meta_tools: MetaTools, max_bytes: int) -> None:
        self._router = router
        self._surface = surface
        self._meta_tools = meta_tools
        self._max_bytes = max_bytes
        self._manager: StreamableHTTPSessionManager
        self._wanted = anyio.Event()
        self._ready = anyio.Event()

    async def run(self) -> None:
        """Serves from the first request on, until cancelled."""
        await self._wanted.wait()
        self._manager = await anyio.to_thread.run_sync(self._make_manager, abandon_on_cancel=True)
        async with self._manager.run():
            self._ready.set()
            await anyio.sleep_forever()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._wanted.set()
        await self._ready.wait()
        await self._manager.handle_request(scope, receive, send)

    def _make_manager(self) -> StreamableHTTPSessionManager:
        from mcp.server.lowlevel import Server
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        server: Server[Any] = Server("toolrouter", version=__version__, get_tool_input_schema=self._input_schema)
        server.middleware[:] = [self._answer]
        return StreamableHTTPSessionManager(server, max_request_body_size=self._max_bytes)

    async def _answer(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        from mcp.shared.exceptions import MCPError

        params = dict(ctx.params or {})
        session = HostSession(self._router, self._surface, self._meta_tools, _NoWire(), era=Era.MODERN)
        if ctx.request_id is None:
            await session.on_notification(ctx.method, params)
            return await call_next(ctx)
        try:
            return await session.handle(ctx.method, params, _Inbound(ctx, params))
        except RpcError as error:
            raise MCPError(error.code, error.message, error.data) from error
        finally:
            await session.close()

    def _input_schema(self, name: str) -> Mapping[str, Any] | None:
        """What the SDK checks `Mcp-Param-*` headers against; meta-tools declare none."""
        if name in self._meta_tools:
            return None
        try:
            tool: Tool = self._router.catalog.find(name)
            return tool.input_schema
        except NotFound:
            return None


class _NoWire:
    """Beside its requests nothing reaches such a host; satisfies `session.Wire`."""

    async def notify(self, method: str, params: JsonObject | None = None) -> None:
        return

    async def ask(self, method: str, params: JsonObject) -> JsonObject:
        raise RpcError(INVALID_REQUEST, f"{method} cannot be put to a host of 2026-07-28")


class _Inbound(_NoWire):
    """One request of a host; satisfies `calling.Inbound`."""

    def __init__(self, ctx: ServerRequestContext[Any, Any], params: JsonObject) -> None:
        # The SDK keeps the channel of a request private.
        self._channel = ctx.session._request_outbound
        meta = params.get("_meta")
        self.meta: JsonObject = meta if isinstance(meta, dict) else {}
        self.id: str | int = ctx.request_id if ctx.request_id is not None else ""

    async def notify(self, method: str, params: JsonObject | None = None) -> None:
        await self._channel.notify(method, params)

    async def progress(self, params: JsonObject) -> None:
        token = self.meta.get("progressToken")
        if isinstance(token, str | int):
            await self.notify("notifications/progress", {**params, "progressToken": token})

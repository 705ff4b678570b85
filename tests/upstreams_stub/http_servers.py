"""Real SDK servers on loopback, in this process: Streamable HTTP (both eras on one endpoint) and legacy SSE."""

from __future__ import annotations

import json
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import uvicorn
from mcp import types
from mcp.server.lowlevel.server import NotificationOptions, Server
from mcp.server.sse import SseServerTransport
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.exceptions import MCPError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

TOOLS = [
    types.Tool(name="echo", description="Repeats", input_schema={"type": "object"}),
    types.Tool(
        name="region",
        description="Mirrors an argument as a header",
        input_schema={"type": "object", "properties": {"where": {"type": "string", "x-mcp-header": "Region"}}},
    ),
]


def make_server(bus: Any = None) -> Server[Any]:
    async def list_tools(_ctx: Any, _params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=TOOLS)

    async def call_tool(ctx: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        arguments = params.arguments or {}
        if params.name == "slow":
            await ctx.session.report_progress(1, 2, "half")
            await anyio.sleep(float(arguments.get("seconds", 0)))
        text = "x" * int(arguments.get("size", 0)) or f"{params.name} {arguments}"
        return types.CallToolResult(content=[types.TextContent(text=text)])

    more = {"on_subscriptions_listen": ListenHandler(bus)} if bus is not None else {}
    return Server(
        "remote", version="3", instructions="Far away.", on_list_tools=list_tools, on_call_tool=call_tool, **more
    )


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """The base URL under which `app` is served."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="auto", ws="none")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server._serve)
        while not server.started:  # noqa: ASYNC110
            await anyio.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = server.force_exit = True


def streamable_app(*, bus: Any = None, wrap: Callable[[Any], Any] = lambda app: app) -> Any:
    return wrap(make_server(bus).streamable_http_app())


def asking_server(*, standalone: bool) -> Server[Any]:
    """Its tool `ask` waits until so many calls as `together` says are under way, and then asks the user.

    `standalone`: it asks on the connection's own stream rather than on the request's.
    """
    under_way: list[str] = []
    news = anyio.Event()

    async def list_tools(_ctx: Any, _params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[types.Tool(name="ask", input_schema={"type": "object"})])

    async def call_tool(ctx: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        nonlocal news
        arguments = params.arguments or {}
        under_way.append(arguments["by"])
        news.set()
        while len(under_way) < arguments["together"]:
            news = anyio.Event()
            await news.wait()
        related = None if standalone else ctx.request_id
        schema = {"type": "object", "properties": {"who": {"type": "string"}}}
        try:
            answer = await ctx.session.elicit_form(f"Who? ({arguments['by']})", schema, related_request_id=related)
            said: Any = answer.content
        except MCPError as error:
            said = {"refused": error.message}
        if len(under_way) == arguments["together"]:
            under_way.clear()
        return types.CallToolResult(content=[types.TextContent(text=json.dumps(said))])

    return Server("asker", version="1", on_list_tools=list_tools, on_call_tool=call_tool)


def asking_app(kind: str, *, standalone: bool) -> Starlette:
    server = asking_server(standalone=standalone)
    return sse_app(server) if kind == "sse" else server.streamable_http_app()


def sse_app(server: Server[Any] | None = None) -> Starlette:
    server = server or make_server()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        transport = SseServerTransport("/messages/")

    async def connect(request: Request) -> Response:
        async with transport.connect_sse(request.scope, request.receive, request._send) as (read, write):
            await server.run(read, write, server.create_initialization_options(NotificationOptions()))
        return Response()

    return Starlette(routes=[Route("/sse", connect), Mount("/messages/", app=transport.handle_post_message)])


def requiring(header: str, value: str) -> Callable[[Any], Any]:
    """Wraps an app so that it answers 401 to requests without that header."""

    def wrap(app: Any) -> Any:
        async def guarded(scope: Any, receive: Any, send: Any) -> None:
            headers = dict(scope.get("headers") or [])
            if scope["type"] == "http" and headers.get(header.encode()) != value.encode():
                await JSONResponse({"detail": "who are you?"}, status_code=401)(scope, receive, send)
            else:
                await app(scope, receive, send)

        return guarded

    return wrap


__all__ = ["InMemorySubscriptionBus", "asking_app", "requiring", "serving", "sse_app", "streamable_app"]

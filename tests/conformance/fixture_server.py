"""A server with the tools, prompts and resources that the official conformance suite asks for, in every revision.

`fixture_server.py` speaks stdio; `fixture_server.py --http PORT` Streamable HTTP (both eras), with `--stateless` too.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from fixture_tools import (
    BUS,
    DESCRIPTIONS,
    EXTRA,
    IMAGE,
    OBJECT,
    PNG,
    TOOLS,
    Call,
    Json,
    form,
    wanted,
)
from mcp.server.lowlevel.server import NotificationOptions, Server
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import ListenHandler
from mcp.shared.exceptions import MCPError

warnings.simplefilter("ignore")


async def list_tools(_ctx: Any, _params: Any) -> Json:
    found = [
        {"name": name, "description": DESCRIPTIONS[name], "inputSchema": schema} for name, (schema, _) in TOOLS.items()
    ]
    found += [
        {"name": f"test_added_{number}", "description": "Came later", "inputSchema": OBJECT}
        for number in range(EXTRA["tools"])
    ]
    return {"tools": found, "ttlMs": 5_000, "cacheScope": "private"}


async def call_tool(ctx: Any, params: Any) -> Json:
    if params.name not in TOOLS:
        raise MCPError(-32602, f"Unknown tool: {params.name}")
    return await TOOLS[params.name][1](Call(ctx, params))


RESOURCES: dict[str, Json] = {
    "test://static-text": {"mimeType": "text/plain", "text": "This is the content of the static text resource."},
    "test://static-binary": {"mimeType": "image/png", "blob": PNG},
    "test://watched-resource": {"mimeType": "text/plain", "text": "Watch me."},
}


async def list_resources(_ctx: Any, _params: Any) -> Json:
    found = [
        {"uri": uri, "name": uri.partition("//")[2], "description": "A resource", "mimeType": part["mimeType"]}
        for uri, part in RESOURCES.items()
    ]
    return {"resources": found, "ttlMs": 5_000, "cacheScope": "private"}


async def list_templates(_ctx: Any, _params: Any) -> Json:
    template = {"uriTemplate": "test://template/{id}/data", "name": "template", "mimeType": "application/json"}
    return {"resourceTemplates": [template], "ttlMs": 5_000, "cacheScope": "private"}


async def read_resource(_ctx: Any, params: Any) -> Json:
    uri = str(params.uri)
    part = RESOURCES.get(uri)
    if part is None and uri.startswith("test://template/") and uri.endswith("/data"):
        found = uri.removeprefix("test://template/").removesuffix("/data")
        data = {"id": found, "templateTest": True, "data": f"Data for ID: {found}"}
        part = {"mimeType": "application/json", "text": json.dumps(data)}
    if part is None:
        raise MCPError(-32602, f"Resource not found: {uri}", {"uri": uri})
    return {"contents": [{"uri": uri, **part}], "ttlMs": 1_000, "cacheScope": "private"}


def says(*contents: Json) -> Json:
    return {"messages": [{"role": "user", "content": content} for content in contents]}


PROMPTS: dict[str, list[str]] = {
    "test_simple_prompt": [],
    "test_prompt_with_arguments": ["arg1", "arg2"],
    "test_prompt_with_embedded_resource": ["resourceUri"],
    "test_prompt_with_image": [],
    "test_input_required_result_prompt": [],
}


async def list_prompts(_ctx: Any, _params: Any) -> Json:
    names = {**PROMPTS, **{f"added_{number}": [] for number in range(EXTRA["prompts"])}}
    found = [
        {
            "name": name,
            "description": f"Conformance: {name}",
            "arguments": [{"name": each, "description": each, "required": True} for each in arguments],
        }
        for name, arguments in names.items()
    ]
    return {"prompts": found, "ttlMs": 5_000, "cacheScope": "private"}


async def get_prompt(ctx: Any, params: Any) -> Json:
    call = Call(ctx, params)
    given = call.arguments
    match params.name:
        case "test_simple_prompt":
            return says({"type": "text", "text": "This is a simple prompt for testing."})
        case "test_prompt_with_arguments":
            words = f"Prompt with arguments: arg1='{given.get('arg1')}', arg2='{given.get('arg2')}'"
            return says({"type": "text", "text": words})
        case "test_prompt_with_embedded_resource":
            resource = {
                "uri": given.get("resourceUri"),
                "mimeType": "text/plain",
                "text": "Embedded resource content for testing.",
            }
            words = "Please process the embedded resource above."
            return says({"type": "resource", "resource": resource}, {"type": "text", "text": words})
        case "test_prompt_with_image":
            return says(IMAGE, {"type": "text", "text": "Please analyze the image above."})
        case "test_input_required_result_prompt":
            if not call.answered("user_context"):
                schema = {"type": "object", "properties": {"context": {"type": "string"}}, "required": ["context"]}
                return wanted({"user_context": form("What context should the prompt use?", schema)})
            return says({"type": "text", "text": json.dumps(call.responses["user_context"].get("content"))})
    raise MCPError(-32602, f"Unknown prompt: {params.name}")


async def complete(_ctx: Any, params: Any) -> Json:
    values = [word for word in ("paris", "park", "party") if word.startswith(params.argument.value)]
    return {"completion": {"values": values, "total": len(values), "hasMore": False}}


async def nothing(_ctx: Any, _params: Any) -> Json:
    return {}


Handler = Callable[[Any, Any], Awaitable[Json]]


def finished(handler: Handler) -> Handler:
    """The SDK fills in nothing for results that are plain objects."""

    async def answer(ctx: Any, params: Any) -> Json:
        result = await handler(ctx, params)
        return {"resultType": "complete", **result} if ctx.session.protocol_version >= "2026" else result

    return answer


def make_server() -> Server[Any]:
    options: Json = {
        "on_list_tools": list_tools,
        "on_call_tool": call_tool,
        "on_list_resources": list_resources,
        "on_list_resource_templates": list_templates,
        "on_read_resource": read_resource,
        "on_subscribe_resource": nothing,
        "on_unsubscribe_resource": nothing,
        "on_subscriptions_listen": ListenHandler(BUS),
        "on_list_prompts": list_prompts,
        "on_get_prompt": get_prompt,
        "on_completion": complete,
        "on_set_logging_level": nothing,
    }
    for name, handler in options.items():
        if name != "on_subscriptions_listen":
            options[name] = finished(handler)
    return Server("conformance-fixture", version="1", instructions="For conformance tests.", **options)


class Events:
    """Keeps the events of streams in memory, so that a broken stream can be taken up again."""

    def __new__(cls) -> Any:
        from mcp.server.streamable_http import EventMessage, EventStore

        class Store(EventStore):
            def __init__(self) -> None:
                self.events: list[tuple[str, Any]] = []

            async def store_event(self, stream_id: str, message: Any) -> str:
                self.events.append((stream_id, message))
                return str(len(self.events))

            async def replay_events_after(self, last_event_id: str, send_callback: Any) -> str | None:
                if not last_event_id.isdigit() or not 0 < int(last_event_id) <= len(self.events):
                    return None
                stream, _ = self.events[int(last_event_id) - 1]
                for number, (owner, message) in enumerate(self.events, start=1):
                    if owner == stream and number > int(last_event_id) and message is not None:
                        await send_callback(EventMessage(message, str(number)))
                return stream

        return Store()


def serve_http(port: int, *, stateless: bool) -> None:
    import uvicorn

    options: Json = {"stateless_http": True} if stateless else {"event_store": Events(), "retry_interval": 500}
    app = make_server().streamable_http_app(host="127.0.0.1", **options)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=1)


async def serve_stdio() -> None:
    server = make_server()
    changes = NotificationOptions(tools_changed=True, prompts_changed=True, resources_changed=True)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options(changes))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--http", type=int)
    parser.add_argument("--stateless", action="store_true")
    given = parser.parse_args()
    if given.http:
        serve_http(given.http, stateless=given.stateless)
    else:
        anyio.run(serve_stdio)

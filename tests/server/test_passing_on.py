"""What a host shows us is for us alone: no server gets to see it, whatever it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from tests.server.hosts import BESIDE_SDK_SERVERS, ENVELOPE
from toolrouter.app import open_router
from toolrouter.config import Settings
from toolrouter.server.http import serve_http

pytestmark = BESIDE_SDK_SERVERS

http_servers = pytest.importorskip("tests.upstreams_stub.http_servers")
SHOWN = {"Cookie": "session=of-the-host", "X-Api-Key": "of-the-host", "X-Forwarded-User": "of-the-host"}


def recording(heard: list[bytes]) -> Any:
    def wrap(app: Any) -> Any:
        async def recorded(scope: Any, receive: Any, send: Any) -> None:
            async def heard_too() -> Any:
                message = await receive()
                heard.append(message.get("body", b""))
                return message

            heard.extend(b": ".join(header) for header in scope.get("headers") or [])
            await app(scope, heard_too, send)

        return recorded

    return wrap


@pytest.mark.parametrize("name", ["call_tool", "r__echo"])
async def test_what_a_host_shows_us_goes_to_no_server(tmp_path: Path, name: str) -> None:
    heard: list[bytes] = []
    async with http_servers.serving(http_servers.streamable_app(wrap=recording(heard))) as url:
        spec = {"url": f"{url}/mcp", "headers": {"Authorization": "Bearer of-the-server"}}
        settings = Settings.model_validate({"mcpServers": {"r": spec}})
        with anyio.fail_after(120):
            async with open_router(settings, home=tmp_path / "home") as running, anyio.create_task_group() as tasks:
                await running.index()
                endpoint = await tasks.start(serve_http, running.router, "127.0.0.1", 0)
                given = {**SHOWN, "Authorization": f"Bearer {endpoint.token}", "Accept": "application/json"}
                routing = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": name}
                arguments = {"name": "r__echo", "arguments": {"a": 1}} if name == "call_tool" else {"a": 1}
                params = {"name": name, "arguments": arguments, "_meta": ENVELOPE}
                body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
                accept = {**given, **routing, "Accept": "application/json, text/event-stream"}
                async with httpx2.AsyncClient(headers=accept) as client:
                    answer = await client.post(endpoint.url, json=body)
                assert "echo {'a': 1}" in answer.text
                tasks.cancel_scope.cancel()
    sent = b"\n".join(heard)
    assert b"Bearer of-the-server" in sent
    assert endpoint.token.encode() not in sent
    assert b"of-the-host" not in sent

"""`toolrouter serve --http`: both eras over Streamable HTTP, and who is turned away."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from mcp.client import Client

from tests.end_to_end.conftest import BIN, python_server, search

TOKEN = "a-token-for-tests"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(config: Path, home: Path) -> Iterator[str]:
    port = free_port()
    command = [
        str(BIN / "toolrouter"),
        "serve",
        "--http",
        f"127.0.0.1:{port}",
        "--token",
        TOKEN,
        "--config",
        str(config),
    ]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "TOOLROUTER_HOME": str(home)}
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if f"127.0.0.1:{port}" in line:
                break
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        process.communicate(timeout=180)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_a_host_over_http_searches_and_calls(mode: str, write_config: Callable[..., Path], home: Path) -> None:
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    config = write_config({"time": python_server("mcp-server-time")})

    async def conversation(url: str) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with anyio.fail_after(120):
            async with (
                httpx2.AsyncClient(headers=headers, timeout=180) as http,
                Client(streamable_http_client(url, http_client=http), mode=mode) as client,
            ):
                assert "time__" in await search(client, "what time is it in Tokyo")
                now = await client.call_tool(
                    "call_read_tool", {"name": "time__get_current_time", "arguments": {"timezone": "UTC"}}
                )
                assert "UTC" in now.content[0].text  # type: ignore[union-attr]

    with serving(config, home) as url:
        anyio.run(conversation, url)


def test_a_stranger_is_turned_away(write_config: Callable[..., Path], home: Path) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    accept = {"Accept": "application/json, text/event-stream"}
    with serving(write_config({}), home) as url:
        assert httpx.post(url, json=body, headers=accept).status_code == 401
        wrong = {**accept, "Authorization": "Bearer wrong"}
        assert httpx.post(url, json=body, headers=wrong).status_code == 401
        right = {**accept, "Authorization": f"Bearer {TOKEN}"}
        assert httpx.post(url, json=body, headers={**right, "Host": "evil.example"}).status_code in {403, 421}
        assert httpx.post(url, json=body, headers={**right, "Origin": "https://evil.example"}).status_code == 403

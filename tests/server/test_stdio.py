"""The stdio server as a process of its own: raw lines first, then the official client."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from toolrouter.types import JsonObject

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "tests.server.program"]
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


def request(number: int, method: str, params: JsonObject | None = None) -> JsonObject:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}}


def line(message: JsonObject) -> bytes:
    return json.dumps(message).encode() + b"\n"


@contextmanager
def running(exposure: str = "search") -> Iterator[subprocess.Popen[bytes]]:
    pipe = subprocess.PIPE
    with subprocess.Popen([*PROGRAM, exposure], cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            yield process
        finally:
            process.kill()


def ask(process: subprocess.Popen[bytes], message: JsonObject) -> Any:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line(message))
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def test_requests_that_came_before_stdin_closed_are_answered_and_then_it_ends() -> None:
    lines = [line(request(1, "initialize", HELLO)), line(request(2, "tools/list")), line(request(3, "ping"))]
    done = subprocess.run([*PROGRAM, "search"], cwd=ROOT, input=b"".join(lines), capture_output=True, timeout=180)
    assert done.returncode == 0
    assert [json.loads(text)["id"] for text in done.stdout.splitlines()] == [1, 2, 3]
    assert b"heavy: []" in done.stderr


def test_stdin_may_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "requests"
    file.write_bytes(line(request(1, "initialize", HELLO)))
    with file.open("rb") as requests:
        done = subprocess.run([*PROGRAM, "search"], cwd=ROOT, stdin=requests, capture_output=True, timeout=180)
    assert json.loads(done.stdout)["result"]["serverInfo"]["name"] == "toolrouter"


def test_what_a_library_prints_goes_to_stderr_and_it_can_read_no_requests() -> None:
    with running() as process:
        ask(process, request(1, "initialize", HELLO))
        call = {"name": "files__list_directory", "arguments": {"path": "x"}}
        assert ask(process, request(2, "tools/call", call))["result"]["content"][0]["text"] == "''"
        _, errors = process.communicate(timeout=180)
        assert b"this line is not for the host" in errors


def test_a_line_that_is_no_message_is_answered_as_a_parse_error_and_costs_nothing_else() -> None:
    with running() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"{oops\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        assert (answer["id"], answer["error"]["code"]) == (None, -32700)
        assert ask(process, request(1, "ping"))["result"] == {}


def test_a_host_that_reads_slowly_gets_a_big_result_whole() -> None:
    text = "x" * 8_000_000
    with running("all") as process:
        ask(process, request(1, "initialize", HELLO))
        call = {"name": "files__read_file", "arguments": {"path": text}}
        assert ask(process, request(2, "tools/call", call))["result"]["content"][0]["text"] == text


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_ends_it_in_order(name: str) -> None:
    with running() as process:
        ask(process, request(1, "initialize", HELLO))
        process.send_signal(getattr(signal, name))
        assert process.wait(timeout=180) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
def test_a_signal_ends_the_http_server_in_order() -> None:
    with running("http") as process:
        assert process.stderr is not None
        assert b"http://127.0.0.1:" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=180) == 0


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["auto", "legacy", "2026-07-28"])
async def test_the_official_client_lists_searches_and_calls(mode: str) -> None:
    from mcp import Client, StdioServerParameters
    from mcp.client.stdio import stdio_client

    parameters = StdioServerParameters(command=PROGRAM[0], args=[*PROGRAM[1:], "search"], cwd=ROOT)
    with anyio.fail_after(120):
        async with Client(stdio_client(parameters, errlog=sys.__stderr__), mode=mode) as client:
            assert len((await client.list_tools()).tools) == 5
            found = await client.call_tool("search_tools", {"query": "read a file"})
            assert "files__read_file(" in found.content[0].text  # type: ignore[union-attr]
            seen: list[float] = []

            async def on_progress(progress: float, total: float | None, message: str | None) -> None:
                seen.append(progress)

            arguments = {"name": "files__read_file", "arguments": {"path": "hello"}}
            result = await client.call_tool("call_tool", arguments, progress_callback=on_progress)
            assert result.content[0].text == "hello"  # type: ignore[union-attr]
            assert result.structured_content == {"ok": True}
            assert seen == [1]


@pytest.mark.anyio
async def test_the_official_client_sees_every_tool_in_exposure_all() -> None:
    from mcp import Client, StdioServerParameters
    from mcp.client.stdio import stdio_client

    parameters = StdioServerParameters(command=PROGRAM[0], args=[*PROGRAM[1:], "all"], cwd=ROOT)
    with anyio.fail_after(120):
        async with Client(stdio_client(parameters, errlog=sys.__stderr__)) as client:
            listed = [tool.name for tool in (await client.list_tools()).tools]
            assert listed == ["files__list_directory", "files__read_file", "git__git_log"]
            result = await client.call_tool("files__read_file", {"path": "direct"})
            assert result.content[0].text == "direct"  # type: ignore[union-attr]

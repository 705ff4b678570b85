"""Not a byte of a server that nobody has approved reaches a host, whatever the host asks and however it asks it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

STUB = Path(__file__).parent.parent / "upstreams_stub" / "canary.py"
CANARY = b"canary"
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}, "sampling": {}, "roots": {}},
}
NAMES = ("bird__sing_", "bird__sing", "bird.dance", "bird:sing", "sing", "bird__sng_x", "dead__sing", "shy__sing")
QUERIES = ("sing a song", "dance", "bird", "sing", "p", "what does the bird server do")


def calls() -> Iterator[tuple[str, dict[str, Any]]]:
    for query in QUERIES:
        for detail in ("name", "signature", "schema"):
            yield "search_tools", {"query": query, "detail": detail}
        for server in ("bird", "dead", "shy"):
            yield "search_tools", {"query": query, "servers": [server]}
    yield "search_tools", {"queries": list(QUERIES), "limit": 50}
    yield "search_tools", {"query": "x", "servers": ["brd"]}
    yield "describe_tools", {"names": list(NAMES)}
    for name in NAMES:
        for way in ("call_tool", "call_read_tool"):
            yield way, {"name": name, "arguments": {"a": 1}}
        yield name, {}


def requests() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "ping", {}
    yield "tools/list", {}
    for name, arguments in calls():
        yield "tools/call", {"name": name, "arguments": arguments, "_meta": {"progressToken": 1}}
    for method in ("prompts/list", "resources/list", "resources/templates/list", "roots/list", "tasks/list"):
        yield method, {}
    for name in ("prompt", "bird__prompt", "bird"):
        yield "prompts/get", {"name": name}
        reference = {"type": "ref/prompt", "name": name}
        yield "completion/complete", {"ref": reference, "argument": {"name": "a", "value": "b"}}
    for uri in ("file:///x", "bird+file:///x", "toolrouter://bird", "bird://x"):
        yield "resources/read", {"uri": uri}
        yield "resources/subscribe", {"uri": uri}
    yield "logging/setLevel", {"level": "debug"}
    yield "tools/list", {}


def talk(folder: Path, *, modern: bool) -> tuple[bytes, list[dict[str, Any]]]:
    python = [sys.executable, "-I", "-S", str(STUB)]
    modes = {"bird": "", "dead": "die", "shy": "refuse"}
    servers = {alias: {"command": python[0], "args": [*python[1:], mode]} for alias, mode in modes.items()}
    config = folder / "toolrouter.json"
    config.write_text(json.dumps({"mcpServers": servers, "toolrouter": {"trust": "review-new", "log_level": "error"}}))
    environment = {**os.environ, "TOOLROUTER_HOME": str(folder / "home")}
    subprocess.run(
        [sys.executable, "-m", "toolrouter", "index", "--config", str(config)],
        env=environment, capture_output=True, timeout=180, check=False,
    )  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "toolrouter", "serve", "--config", str(config)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    watchdog = Timer(120, process.kill)
    watchdog.start()
    heard: list[bytes] = []
    answers: list[dict[str, Any]] = []

    def ask(number: int, method: str, params: dict[str, Any]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        if modern:
            params = {**params, "_meta": {**ENVELOPE, **params.get("_meta", {})}}
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        while line := process.stdout.readline():
            heard.append(line)
            message = json.loads(line)
            if message.get("id") == number and "method" not in message:
                answers.append({"asked": method, **message})
                return
        raise AssertionError(f"no answer to {method}")

    try:
        client = {"name": "test", "version": "1"}
        capabilities = {"elicitation": {}, "sampling": {}, "roots": {"listChanged": True}}
        opening = {"protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": client}
        ask(0, *(("server/discover", {}) if modern else ("initialize", opening)))
        for number, (method, params) in enumerate(requests(), 1):
            ask(number, method, params)
        process.stdin.close()
        heard.append(process.stdout.read())
        process.wait(30)
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
    return b"".join(heard), answers


@pytest.mark.parametrize("modern", [False, True], ids=["handshake", "modern"])
def test_not_a_byte_of_an_unapproved_server_reaches_the_host(tmp_path: Path, modern: bool) -> None:
    heard, answers = talk(tmp_path, modern=modern)
    assert CANARY not in heard.lower()
    searched = [json.dumps(answer) for answer in answers if "await the user's review" in json.dumps(answer)]
    assert searched, "the host is told that tools await review"
    state = b"".join(path.read_bytes() for path in (tmp_path / "home").glob("state.db*"))
    assert b"CANARY" in state, "the server was listed, so the test means something"

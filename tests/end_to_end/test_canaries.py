"""Not a byte of a server that nobody has approved reaches a host, whatever the host asks and however it asks it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread, Timer
from typing import Any

import pytest

STUB = Path(__file__).parent.parent / "upstreams_stub" / "canary.py"
CANARY = b"canary"
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}, "sampling": {}, "roots": {}},
}
SERVERS = ("bird", "dead", "shy", "web", "broken", "locked")
NAMES = (
    "bird__sing_", "bird__sing", "bird.dance", "bird:sing", "sing", "bird__sng_x", "dead__sing", "shy__sing",
    "web__sing_", "web__sing", "broken__sing",
)  # fmt: skip
QUERIES = ("sing a song", "dance", "bird", "sing", "p", "what does the bird server do")


def calls() -> Iterator[tuple[str, dict[str, Any]]]:
    for query in QUERIES:
        for detail in ("name", "signature", "schema"):
            yield "search_tools", {"query": query, "detail": detail}
        for server in SERVERS:
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
    for name in ("prompt", "bird__prompt", "bird", "web__prompt"):
        yield "prompts/get", {"name": name}
        reference = {"type": "ref/prompt", "name": name}
        yield "completion/complete", {"ref": reference, "argument": {"name": "a", "value": "b"}}
    for uri in ("file:///x", "bird+file:///x", "toolrouter://bird", "bird://x", "web+file:///x"):
        reference = {"type": "ref/resource", "uri": uri}
        yield "completion/complete", {"ref": reference, "argument": {"name": "x", "value": "b"}}
        yield "resources/read", {"uri": uri}
        yield "resources/subscribe", {"uri": uri}
    yield "logging/setLevel", {"level": "debug"}
    yield "tools/list", {}


class Web(BaseHTTPRequestHandler):
    """The same server over HTTP: everything it says between question and answer comes as events of one stream."""

    protocol_version = "HTTP/1.1"
    bird: subprocess.Popen[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path != "/mcp":
            status = 401 if self.path == "/locked" else 500
            refused = [("www-authenticate", 'Bearer error="CANARY", error_description="CANARY"')]
            return self._answer(status, "text/plain", b"CANARY went wrong", refused)
        asked = json.loads(body)
        if "id" not in asked or "method" not in asked:
            return self._answer(202, "text/plain", b"")
        assert self.bird.stdin
        assert self.bird.stdout
        self.bird.stdin.write(body + b"\n")
        self.bird.stdin.flush()
        events = b""
        while line := self.bird.stdout.readline():
            events += b"event: message\ndata: " + line + b"\n"
            if json.loads(line).get("id") == asked["id"]:
                break
        return self._answer(200, "text/event-stream", events)

    def do_GET(self) -> None:
        self._answer(405, "text/plain", b"CANARY")

    def _answer(self, status: int, kind: str, body: bytes, more: Sequence[tuple[str, str]] = ()) -> None:
        self.send_response(status, "CANARY" if status >= 400 else "OK")
        for name, value in (("content-type", kind), ("content-length", str(len(body))), *more):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def web() -> Iterator[str]:
    """Its address; one request at a time, as the process behind it works."""
    command = [sys.executable, "-I", "-S", str(STUB)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as bird:
        with ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Web,), {"bird": bird})) as server:
            Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()
        bird.kill()


def talk(folder: Path, address: str, *, modern: bool) -> tuple[bytes, list[dict[str, Any]]]:
    python = [sys.executable, "-I", "-S", str(STUB)]
    modes = {"bird": "", "dead": "die", "shy": "refuse"}
    servers = {alias: {"command": python[0], "args": [*python[1:], mode]} for alias, mode in modes.items()}
    paths = {"web": "mcp", "broken": "broken", "locked": "locked"}
    servers |= {alias: {"url": f"{address}/{path}"} for alias, path in paths.items()}
    config = folder / "toolrouter.json"
    # What a server may ask matters only once it is approved.
    options = {alias: {"allow_asking": ["elicitation", "sampling", "roots"]} for alias in servers}
    settings = {"trust": "review-new", "log_level": "debug", "servers": options}
    config.write_text(json.dumps({"mcpServers": servers, "toolrouter": settings}))
    environment = {**os.environ, "TOOLROUTER_HOME": str(folder / "home")}
    subprocess.run(
        [sys.executable, "-m", "toolrouter", "index", "--config", str(config)],
        env=environment, capture_output=True, timeout=180, check=False,
    )  # fmt: skip
    errors = folder / "errors"
    with errors.open("wb") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", "toolrouter", "serve", "--config", str(config)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=told, env=environment,
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
    return b"".join([*heard, errors.read_bytes()]), answers


@pytest.mark.parametrize("modern", [False, True], ids=["handshake", "modern"])
def test_not_a_byte_of_an_unapproved_server_reaches_the_host(tmp_path: Path, modern: bool) -> None:
    with web() as address:
        heard, answers = talk(tmp_path, address, modern=modern)
    assert CANARY not in heard.lower()
    searched = [json.dumps(answer) for answer in answers if "await the user's review" in json.dumps(answer)]
    assert searched, "the host is told that tools await review"
    state = b"".join(path.read_bytes() for path in (tmp_path / "home").glob("state.db*"))
    assert b"CANARY" in state, "the server was listed, so the test means something"
    with sqlite3.connect(tmp_path / "home" / "state.db") as store:
        listed = {alias for (alias,) in store.execute("SELECT DISTINCT server FROM tools")}
        by = {who for (who,) in store.execute("SELECT DISTINCT by FROM decisions WHERE approved")}
    assert {"bird", "web"} <= listed
    assert by <= {"config"}, "no request of a host approves anything"

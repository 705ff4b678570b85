"""Drives MCP servers over stdio from outside: real processes, a client without a library, wall-clock times."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from toolrouter.types import JsonObject

UPSTREAMS = Path(__file__).parent / "upstreams"
ROOT = Path(__file__).parent.parent
STOP_TIMEOUT_S = 10
PROTOCOL = "2025-11-25"
EXITS = {"command": sys.executable, "args": ["-c", "raise SystemExit(1)"]}
HANGS = {"command": sys.executable, "args": ["-c", "import time; time.sleep(3600)"]}
ECHO = {"command": sys.executable, "args": ["-S", str(UPSTREAMS / "echo.py")]}
TRIVIAL_SDK = {"command": sys.executable, "args": [str(UPSTREAMS / "trivial_sdk.py")]}
TIME = {"command": str(Path(sys.executable).parent / "mcp-server-time"), "args": ["--local-timezone", "UTC"]}
"""A real server from PyPI, which comes with `toolrouter[demo]`."""
ROUTER = [sys.executable, "-m", "toolrouter"]
"""The command as installed in this Python."""


class Session:
    """One host's conversation with a server process. Every wait is bounded by whoever kills the process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._next = 0

    def start(self) -> JsonObject:
        """The handshake; returns the answer to `initialize`."""
        client = {"name": "benchmark", "version": "1"}
        params = {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": client}
        answer = self.request("initialize", params)
        self.write({"method": "notifications/initialized"})
        return answer

    def request(self, method: str, params: JsonObject | None = None) -> JsonObject:
        number = self.send(method, params or {})
        while True:
            message = self.read()
            if message.get("id") == number and "method" not in message:
                return _result(message)

    def call(self, name: str, arguments: JsonObject) -> JsonObject:
        return self.request("tools/call", {"name": name, "arguments": arguments})

    def send(self, method: str, params: JsonObject) -> int:
        self._next += 1
        self.write({"id": self._next, "method": method, "params": params})
        return self._next

    def write(self, message: JsonObject) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self.process.stdin.flush()

    def read(self) -> JsonObject:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the server ended with status {self.process.wait(STOP_TIMEOUT_S)}")
        message: JsonObject = json.loads(line)
        return message


def _result(message: JsonObject) -> JsonObject:
    if "error" in message:
        raise SystemExit(f"the server answered with an error: {message['error']}")
    result: JsonObject = message["result"]
    return result


@contextmanager
def session(command: Sequence[str], home: Path | None = None) -> Iterator[Session]:
    """A started process, not yet greeted; its stderr is kept from the terminal."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)} | ({"TOOLROUTER_HOME": str(home)} if home else {})
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ
    )
    assert process.stdin
    assert process.stdout
    try:
        yield Session(process)
    finally:
        process.stdin.close()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


@contextmanager
def stage(upstreams: Mapping[str, Any], /, **settings: Any) -> Iterator[Stage]:
    """A config and an empty home in a folder that goes away."""
    with tempfile.TemporaryDirectory(prefix="toolrouter-bench-") as folder:
        config = Path(folder) / "toolrouter.json"
        config.write_text(json.dumps({"mcpServers": upstreams, "toolrouter": settings}), encoding="utf-8")
        yield Stage(config, Path(folder) / "home")


class Stage:
    def __init__(self, config: Path, home: Path) -> None:
        self.config, self.home = config, home

    def run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Runs a toolrouter command to its end; upstreams that fail are part of the game."""
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "TOOLROUTER_HOME": str(self.home)}
        command = [*ROUTER, *arguments, "--config", str(self.config)]
        return subprocess.run(command, env=environ, capture_output=True, timeout=600, check=False)

    @contextmanager
    def serve(self) -> Iterator[Session]:
        """A router in the process that is started, so that its time and memory are its own."""
        with session([*ROUTER, "serve", "--no-daemon", "--config", str(self.config)], self.home) as opened:
            yield opened

    @contextmanager
    def serve_shared(self) -> Iterator[Session]:
        """A connector to the daemon."""
        with session([*ROUTER, "serve", "--config", str(self.config)], self.home) as opened:
            yield opened


def seconds_to_first_list(command: Sequence[str], home: Path | None = None) -> float:
    """From starting the process to the answer to `tools/list`."""
    start = time.perf_counter()
    with session(command, home) as opened:
        opened.start()
        opened.request("tools/list")
        return time.perf_counter() - start

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

from toolrouter.daemon.control import daemon_status
from toolrouter.daemon.place import Place

ROOT = Path(__file__).parent.parent.parent
STUB = ROOT / "tests" / "upstreams_stub" / "stub.py"
PATIENCE_S = 180.0
"""Ends a test that hangs; a busy machine may take long for what is right."""
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "modern-host", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
T = TypeVar("T")


def eventually(look: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """The first true value that `look` returns."""
    deadline = time.monotonic() + patience_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"nothing came of {look} within {patience_s:.0f} s"
        threading.Event().wait(0.05)
    return found


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie whose parent is busy elsewhere is as dead as can be.
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


def stub(*faults: str, **more: Any) -> dict[str, Any]:
    return {"command": sys.executable, "args": ["-I", "-S", str(STUB), *faults], **more}


class Host:
    """A host that started `toolrouter serve`. Every wait is bounded."""

    def __init__(self, home: Home, *words: str, cwd: Path = ROOT) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "toolrouter", "serve", "--config", str(home.config), *words],
            cwd=cwd,
            env=home.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.notes: list[dict[str, Any]] = []
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._answers: dict[object, dict[str, Any]] = {}
        self._next = 0
        self._envelope: dict[str, Any] | None = None
        threading.Thread(target=self._read, daemon=True).start()

    def write(self, message: dict[str, Any]) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self.process.stdin.flush()

    def send(self, method: str, params: dict[str, Any] | None = None) -> int:
        self._next += 1
        given = dict(params or {})
        if self._envelope is not None:
            given["_meta"] = self._envelope
        self.write({"id": self._next, "method": method, "params": given})
        return self._next

    def answer(self, number: int) -> dict[str, Any]:
        eventually(lambda: self._take() or number in self._answers)
        return self._answers.pop(number)

    def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self.answer(self.send(method, params))
        assert "result" in answer, answer
        return answer["result"]  # type: ignore[no-any-return]

    def initialize(self, name: str = "handshake-host") -> Host:
        client = {"name": name, "version": "1"}
        self.ask("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client})
        self.write({"method": "notifications/initialized"})
        return self

    def modern(self) -> Host:
        self._envelope = ENVELOPE
        return self

    def tools(self) -> list[str]:
        return [tool["name"] for tool in self.ask("tools/list")["tools"]]

    def start_call(self, name: str, arguments: dict[str, Any] | None = None) -> int:
        return self.send("tools/call", {"name": "call_tool", "arguments": {"name": name, "arguments": arguments or {}}})

    def call(self, name: str, arguments: dict[str, Any] | None = None) -> str:
        answer = self.answer(self.start_call(name, arguments))
        return str(answer["result"]["content"][0]["text"])

    def search(self, query: str, **more: Any) -> str:
        result = self.ask("tools/call", {"name": "search_tools", "arguments": {"query": query, **more}})
        return str(result["content"][0]["text"])

    def wait_note(self, method: str) -> dict[str, Any]:
        eventually(lambda: self._take() or any(note["method"] == method for note in self.notes))
        found = next(note for note in self.notes if note["method"] == method)
        self.notes.remove(found)
        return found

    def leave(self) -> int:
        assert self.process.stdin
        with suppress(OSError):
            self.process.stdin.close()
        return self.process.wait(PATIENCE_S)

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line)

    def _take(self) -> bool:
        with suppress(queue.Empty):
            while True:
                message = json.loads(self._lines.get_nowait())
                if "method" in message:
                    self.notes.append(message)
                else:
                    assert message["id"] not in self._answers, "answered twice"
                    self._answers[message["id"]] = message
        return False


class Home:
    """A config and a state folder of a test's own, and every process that lives on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "toolrouter.json"
        self.state = folder / "home"
        self.environ = {**os.environ, "TOOLROUTER_HOME": str(self.state), "TOOLROUTER_IDLE_EXIT_S": "30"}
        self.hosts: list[Host] = []
        self.seen: set[int] = set()
        self.configure({"stub": stub()})

    @property
    def place(self) -> Place:
        return Place(str(self.state), str(self.config))

    def configure(self, servers: dict[str, Any], /, **settings: Any) -> None:
        text = json.dumps({"mcpServers": servers, "toolrouter": settings})
        unfinished = self.folder / "unfinished"
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(self.config)

    def host(self, *words: str) -> Host:
        host = Host(self, *words)
        self.hosts.append(host)
        return host

    def host_in(self, folder: Path) -> Host:
        """A host with the toolrouter that lies in a folder."""
        self.hosts.append(Host(self, cwd=folder))
        return self.hosts[-1]

    def status(self) -> dict[str, Any] | None:
        return daemon_status(self.place)

    def daemon(self) -> int:
        """The process of the daemon, which must be running."""
        record = eventually(self.place.read_record)
        pid = record["pid"]
        assert isinstance(pid, int)
        self.seen.add(pid)
        return pid

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "toolrouter", words[0], "--config", str(self.config), *words[1:]],
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def close(self) -> None:
        with suppress(Exception):
            self.daemon() if self.place.read_record() else None
        for host in self.hosts:
            host.process.kill()
            host.process.wait()
            for stream in (host.process.stdin, host.process.stdout, host.process.stderr):
                assert stream
                with suppress(OSError):
                    stream.close()
        for pid in self.seen:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        eventually(lambda: not any(map(alive, self.seen)))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setenv("TOOLROUTER_HOME", str(tmp_path / "home"))
    opened = Home(tmp_path)
    yield opened
    opened.close()

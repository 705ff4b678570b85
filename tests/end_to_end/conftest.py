"""Real parts: the installed command, real servers from PyPI and npm, clients that were not written here."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
from mcp.client import Client

from tests.parts import Unavailable, find_node, node_modules

BIN = Path(sys.executable).parent
NPM_SERVERS = (
    "@modelcontextprotocol/server-everything@2026.8.31",
    "@modelcontextprotocol/server-filesystem@2026.8.31",
    "@modelcontextprotocol/server-memory@2026.8.31",
)


@dataclass(frozen=True)
class Npm:
    """Packages from npm, and a Node that is new enough for all of them."""

    node: str
    modules: Path

    def script(self, name: str) -> str:
        return str((self.modules / ".bin" / name).resolve())

    def server(self, name: str, *args: str) -> dict[str, object]:
        return {"command": self.node, "args": [self.script(name), *args]}


def npm_parts(name: str, packages: Sequence[str]) -> Npm:
    """Skips, loudly, where Node or the registry is missing."""
    try:
        node = find_node()
        return Npm(node, node_modules(name, packages, node))
    except Unavailable as error:
        pytest.skip(f"ACCEPTANCE TESTS WITH NODE PARTS DO NOT RUN: {error}")


@pytest.fixture(scope="session")
def npm() -> Npm:
    """The servers above."""
    return npm_parts("servers", NPM_SERVERS)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder for one test, which is not there yet."""
    folder = tmp_path / "home"
    monkeypatch.setenv("TOOLROUTER_HOME", str(folder))
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with one committed file and one change."""
    folder = tmp_path / "repository"
    folder.mkdir()

    def git(*args: str) -> None:
        subprocess.run(["git", *args], cwd=folder, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("config", "user.name", "Ada")
    git("config", "user.email", "ada@example.org")
    (folder / "a.txt").write_text("one\n")
    git("add", "a.txt")
    git("commit", "-q", "-m", "first")
    (folder / "a.txt").write_text("one\ntwo\n")
    return folder


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[..., Path]:
    def write(servers: dict[str, object], /, **router: object) -> Path:
        path = tmp_path / "toolrouter.json"
        path.write_text(json.dumps({"mcpServers": servers, "toolrouter": router}))
        return path

    return write


async def search(client: Client, query: str) -> str:
    """What is found, asked again for as long as the answer says that a server is still being indexed."""
    while True:
        found = await client.call_tool("search_tools", {"query": query})
        text: str = found.content[0].text  # type: ignore[union-attr]
        if "Still being indexed" not in text:
            return text
        await anyio.sleep(0.2)


def python_server(name: str, *args: str) -> dict[str, object]:
    """A server installed from PyPI beside the tests."""
    return {"command": str(BIN / name), "args": list(args)}


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str

    def json(self) -> object:
        return json.loads(self.out)


@pytest.fixture
def toolrouter(home: Path) -> Callable[..., Finished]:
    """Runs the installed command; stdout and stderr apart."""

    def run(*args: str, timeout_s: float = 300, stdin: str = "") -> Finished:
        command = [str(BIN / "toolrouter"), *args]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, input=stdin)
        return Finished(done.returncode, done.stdout, done.stderr)

    return run

"""Real parts: the installed command, real servers from PyPI and npm, clients that were not written here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
from mcp.client import Client

from toolrouter.daemon.place import FileLock

BIN = Path(sys.executable).parent
INSTALL_S = 400
NPM_PACKAGES = (
    "node@24.21.0",
    "@modelcontextprotocol/server-everything@2026.8.31",
    "@modelcontextprotocol/server-filesystem@2026.8.31",
    "@modelcontextprotocol/server-memory@2026.8.31",
    "@modelcontextprotocol/inspector@2.12.0",
    "@modelcontextprotocol/sdk@1.32.2",
    "@modelcontextprotocol/client@2.4.0",
)


@dataclass(frozen=True)
class Npm:
    """A folder with the packages above; `node` is new enough for all of them."""

    folder: Path

    @property
    def node(self) -> str:
        return str(self.folder / "node_modules" / "node" / "bin" / "node")

    def script(self, name: str) -> str:
        return str((self.folder / "node_modules" / ".bin" / name).resolve())

    def server(self, name: str, *args: str) -> dict[str, object]:
        return {"command": self.node, "args": [self.script(name), *args]}


@pytest.fixture(scope="session")
def npm() -> Npm:
    """Installs the npm packages once per machine; skips, loudly, where Node or the registry is missing."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "toolrouter-tests" / "npm"
    if shutil.which("npm") is None:
        _skip("Node.js with npm is not installed")
    cache.mkdir(parents=True, exist_ok=True)
    # Test processes run beside each other, and all of them want the packages.
    turn = FileLock(str(cache / "installing"))
    assert turn.acquire(INSTALL_S)
    try:
        _install(cache)
    finally:
        turn.release()
    return Npm(cache)


def _install(cache: Path) -> None:
    stamp = cache / "installed.json"
    if not stamp.exists() or json.loads(stamp.read_text()) != list(NPM_PACKAGES):
        (cache / "package.json").write_text('{"private": true}')
        install = ["npm", "install", "--no-audit", "--no-fund", "--no-save", *NPM_PACKAGES]
        done = subprocess.run(install, cwd=cache, capture_output=True, text=True, timeout=INSTALL_S)
        if done.returncode != 0:
            _skip(f"the npm packages cannot be installed: {done.stderr[-300:]}")
        stamp.write_text(json.dumps(list(NPM_PACKAGES)))


def _skip(why: str) -> None:
    pytest.skip(f"ACCEPTANCE TESTS WITH NODE PARTS DO NOT RUN: {why}")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepare_home: Callable[[Path], None]) -> Path:
    """A state folder for one test, in which nothing is known."""
    folder = tmp_path / "home"
    prepare_home(folder)
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

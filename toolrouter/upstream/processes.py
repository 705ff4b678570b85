"""Child processes: found, started in a group of their own, and ended with everything they started.

Who ends what: a normal stop closes stdin, then signals the whole process group (POSIX) or tree (Windows). If toolrouter
itself is killed, servers see stdin end, and on POSIX one `reaper` process per toolrouter ends the groups of those that
ignore it. A grandchild that moved to a session of its own escapes both, as it would escape a terminal.
"""

from __future__ import annotations

import atexit
import difflib
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import anyio
from anyio.abc import Process

from toolrouter.config import UpstreamSpec
from toolrouter.errors import UpstreamError

logger = logging.getLogger(__name__)

WINDOWS = sys.platform == "win32"
POLL_S = 0.02

INHERITED = frozenset(
    """
    PATH HOME LOGNAME SHELL TERM USER LANG LANGUAGE TZ TMPDIR TEMP TMP DISPLAY WAYLAND_DISPLAY XAUTHORITY
    DBUS_SESSION_BUS_ADDRESS DOCKER_HOST NVM_DIR VOLTA_HOME FNM_DIR PYENV_ROOT ASDF_DIR ASDF_DATA_DIR MISE_DATA_DIR
    HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
    NODE_EXTRA_CA_CERTS NPM_CONFIG_REGISTRY NPM_CONFIG_CACHE UV_INDEX_URL UV_DEFAULT_INDEX UV_CACHE_DIR PIP_INDEX_URL
    APPDATA LOCALAPPDATA HOMEDRIVE HOMEPATH PATHEXT PROCESSOR_ARCHITECTURE SYSTEMDRIVE SYSTEMROOT WINDIR COMSPEC
    USERNAME USERPROFILE PROGRAMDATA PROGRAMFILES PROGRAMFILES(X86)
    """.split()  # noqa: SIM905  a list would take sixty lines
)
INHERITED_PREFIXES = ("LC_", "XDG_")

HINTS = {
    "npx": "npx comes with Node.js: install Node.js 22 or newer",
    "npm": "npm comes with Node.js: install Node.js 22 or newer",
    "node": "install Node.js 22 or newer",
    "uvx": "uvx comes with uv: `pip install uv`",
    "uv": "install uv: `pip install uv`",
    "pipx": "install pipx: `pip install pipx`",
    "docker": "install Docker and make sure that it runs",
    "bunx": "bunx comes with Bun: install Bun",
    "python": "try `python3` or the full path of the interpreter",
}


def environment(spec: UpstreamSpec, inherited: Mapping[str, str]) -> dict[str, str]:
    """What a server may see of our environment (no secrets of other servers), and its own `env` on top."""
    kept = {
        name: value
        for name, value in inherited.items()
        if (name.upper() in INHERITED or name.upper().startswith(INHERITED_PREFIXES)) and not value.startswith("()")
    }
    return {**kept, **spec.env}


def find_command(alias: str, spec: UpstreamSpec, env: Mapping[str, str]) -> str:
    """The full path of the program. Raises UpstreamError with what to do when there is none."""
    command = spec.command or ""
    folder = _folder(spec)
    if not folder.is_dir():
        raise UpstreamError(alias, f"{alias}: the folder in `cwd` does not exist: {spec.cwd}")
    expanded = str(Path(command).expanduser()) if command.startswith("~") else command
    has_folder = os.sep in expanded or (os.altsep is not None and os.altsep in expanded)
    looked_up = str(folder / expanded) if has_folder else expanded
    if found := shutil.which(looked_up, path=env.get("PATH")):
        return str(Path(found).absolute())
    raise UpstreamError(alias, f"{alias}: {_missing(command, Path(looked_up), env, has_folder=has_folder)}")


def _folder(spec: UpstreamSpec) -> Path:
    return Path(spec.cwd).expanduser() if spec.cwd else Path()


def _missing(command: str, path: Path, env: Mapping[str, str], *, has_folder: bool) -> str:
    if has_folder:
        return f"{command} exists but cannot be executed" if path.exists() else f"{command} does not exist"
    message = f"command {command!r} was not found on PATH"
    if hint := HINTS.get(command.lower()):
        return f"{message}; {hint}"
    candidates = {*HINTS, *_commands_on(env.get("PATH", ""))}
    if near := difflib.get_close_matches(command, sorted(candidates), n=3, cutoff=0.75):
        return f"{message}; did you mean {' or '.join(near)}?"
    return f"{message}; give its full path in `command`, or set PATH in the server's `env`"


def _commands_on(path: str) -> set[str]:
    names: set[str] = set()
    for folder in path.split(os.pathsep):
        with suppress(OSError):
            names.update(os.listdir(folder or "."))  # noqa: PTH208  names only: no stat of thousands of files
    return names


async def start_process(alias: str, spec: UpstreamSpec) -> Process:
    """Starts the server's program in its own process group, all three streams piped. Raises UpstreamError."""
    env = environment(spec, os.environ)
    command = find_command(alias, spec, env)
    flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0) | getattr(subprocess, "CREATE_NO_WINDOW", 0)
    try:
        process = await anyio.open_process(
            [command, *spec.args], env=env, cwd=_folder(spec), start_new_session=not WINDOWS, creationflags=flags
        )
    except (OSError, ValueError) as error:
        raise UpstreamError(alias, f"{alias}: {spec.command} could not be started: {error}") from error
    _REAPER.watch(process.pid)
    return process


async def stop_process(process: Process, limit_s: float) -> None:
    """Ends a process whose stdin is closed, and its group: patience, SIGTERM, SIGKILL. Bounded by `limit_s`."""
    for signal_number, share in ((None, 0.4), (signal.SIGTERM, 0.4), (_KILL, 0.2)):
        if signal_number is not None:
            await _signal_group(process, signal_number)
        with anyio.move_on_after(limit_s * share):
            await process.wait()
            # The leader is gone; those it started get no patience, they have nobody to serve.
            while signal_number is not None and _group_alive(process.pid):  # noqa: ASYNC110  nothing announces it
                await anyio.sleep(POLL_S)
        if process.returncode is not None and not _group_alive(process.pid):
            break
    _REAPER.forget(process.pid)


def _group_alive(pgid: int) -> bool:
    if sys.platform == "win32":
        return False
    try:
        os.killpg(pgid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


async def _signal_group(process: Process, number: int) -> None:
    if sys.platform == "win32":
        with suppress(OSError):
            await anyio.run_process(["taskkill", "/T", "/F", "/PID", str(process.pid)], check=False)
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


_KILL: int = getattr(signal, "SIGKILL", signal.SIGTERM)


class _Reaper:
    """Our line to the `reaper` process, started with the first server."""

    GRACE_S = 1.5

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._watched: set[int] = set()

    def watch(self, pgid: int) -> None:
        self._watched.add(pgid)
        if not WINDOWS and not self._tell(f"+{pgid}\n"):
            self._start()

    def forget(self, pgid: int) -> None:
        if pgid in self._watched:
            self._watched.discard(pgid)
            self._tell(f"-{pgid}\n")

    def _tell(self, line: str) -> bool:
        # After a fork the pipe belongs to the parent: a child must not speak on it.
        if self._process is None or self._process.stdin is None or self._owner != os.getpid():
            return False
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        except OSError:
            return False
        return True

    def _start(self) -> None:
        script = Path(__file__).with_name("reaper.py")
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(script), str(self.GRACE_S)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
        except OSError as error:
            logger.warning("servers may outlive a killed toolrouter, the reaper could not be started: %s", error)
            return
        self._owner = os.getpid()
        atexit.register(self._close)
        for pgid in self._watched:
            self._tell(f"+{pgid}\n")

    def _close(self) -> None:
        if self._process is not None and self._process.stdin is not None and self._owner == os.getpid():
            with suppress(OSError, subprocess.TimeoutExpired):
                self._process.stdin.close()
                self._process.wait(0.5)


_REAPER = _Reaper()

"""Which files and which address belong to one daemon: a function of the home folder and the config alone."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import sys
import time
from typing import IO

from toolrouter.replacing import replace_by

LONGEST_SOCKET_PATH = 100
"""Bytes; systems allow 103 and more."""
CONNECT_S = 2.0


class Place:
    """Where the daemon of one home and one config is found."""

    def __init__(self, home: str, config: str) -> None:
        self.home = os.path.abspath(home)
        self.config = os.path.abspath(config)
        self.real_config = os.path.realpath(config)
        """What names the daemon: however a config is reached, it is one config."""
        self.folder = os.path.join(self.home, "daemon")
        self.key = _key(os.path.realpath(self.home) + "\0" + self.real_config)

    @property
    def record_path(self) -> str:
        return self._file("json")

    @property
    def left_path(self) -> str:
        """What the last daemon left: see `left`."""
        return self._file("left")

    @property
    def life_lock(self) -> str:
        """Held by the daemon as long as it takes hosts. The system frees it, however the process ends."""
        return self._file("lock")

    @property
    def start_lock(self) -> str:
        """Held by the one connector that starts a daemon."""
        return self._file("starting")

    def prepare(self) -> None:
        """Makes the folder, for its owner alone. Raises OSError."""
        os.makedirs(self.home, 0o700, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkdir(self.folder, 0o700)
        if os.name == "posix" and stat.S_IMODE(os.stat(self.folder).st_mode) & 0o077:
            os.chmod(self.folder, 0o700)

    def read_record(self) -> dict[str, object] | None:
        """What the daemon wrote about itself: address, secrets, version. None when there is none to be trusted."""
        return _read_private(self.record_path)

    def write_record(self, record: dict[str, object]) -> None:
        """Replaces the record in one step; only its owner can read it. Raises OSError."""
        _write_private(self.record_path, record)

    def read_left(self) -> dict[str, object] | None:
        """What the last daemon left. None when there is nothing to be trusted."""
        return _read_private(self.left_path)

    def write_left(self, left: dict[str, object]) -> None:
        """Replaces it in one step; only its owner can read it. Raises OSError."""
        _write_private(self.left_path, left)

    def socket_paths(self) -> list[str]:
        """Where a socket may be put, best first: short enough, in folders of this user alone. Makes the folders."""
        folders = [self.folder]
        if os.name == "posix":
            runtime = os.environ.get("XDG_RUNTIME_DIR")
            folders += [os.path.join(runtime, "toolrouter")] if runtime else []
            folders += [f"/tmp/toolrouter-{os.getuid()}"]  # noqa: S108  checked to be ours alone
        paths = [os.path.join(folder, f"{self.key}.sock") for folder in folders]
        return [path for path in paths if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH and _own_folder(path)]

    def _file(self, ending: str) -> str:
        return os.path.join(self.folder, f"{self.key}.{ending}")


def connect(address: object) -> socket.socket:
    """A connection to what a record calls `address`. Raises OSError."""
    if isinstance(address, str) and hasattr(socket, "AF_UNIX"):
        connection, target = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), address
    elif isinstance(address, int):
        connection, target = socket.socket(socket.AF_INET, socket.SOCK_STREAM), ("127.0.0.1", address)  # type: ignore[assignment]
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    else:
        raise OSError(f"no address: {address!r}")
    try:
        connection.settimeout(CONNECT_S)
        connection.connect(target)
    except OSError:
        connection.close()
        raise
    return connection


class FileLock:
    """A lock that the system frees when its process ends. Held by an open file, not by the file's existence."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def try_acquire(self) -> bool:
        """False when somebody else holds it. Raises OSError when the file cannot be used."""
        file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
        try:
            _lock(file.fileno())
        except (BlockingIOError, PermissionError):
            file.close()
            return False
        self._file = file
        return True

    def acquire(self, patience_s: float) -> bool:
        deadline = time.monotonic() + patience_s
        while not self.try_acquire():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


if sys.platform == "win32":
    import msvcrt

    def _lock(fd: int) -> None:
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _key(text: str) -> str:
    """64 bits (FNV-1a) of what names a daemon. Names a file, protects nothing: hashlib takes longer to import."""
    value = 0xCBF29CE484222325
    for byte in os.fsencode(text):
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def _read_private(path: str) -> dict[str, object] | None:
    try:
        with open(path, encoding="utf-8") as file:
            if os.name == "posix" and not _is_private(os.fstat(file.fileno())):
                return None
            found = json.load(file)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _write_private(path: str, words: dict[str, object]) -> None:
    unfinished = f"{path}.{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(unfinished)
    fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            json.dump(words, file)
        replace_by(unfinished, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(unfinished)
        raise


def _is_private(status: os.stat_result) -> bool:
    if sys.platform == "win32":
        return True
    return status.st_uid == os.getuid() and not stat.S_IMODE(status.st_mode) & 0o077


def _own_folder(path: str) -> bool:
    """Whether the folder of `path` is this user's alone; it is made when it is not there."""
    folder = os.path.dirname(path)
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        status = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and _is_private(status)

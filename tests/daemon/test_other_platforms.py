"""What is done where POSIX's ways are missing: each module is read as Windows' Python would read it."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import anyio
import pytest

from toolrouter.daemon import control, joining, service
from toolrouter.daemon.place import Place
from toolrouter.upstream import processes

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there it needs no pretending")


class Msvcrt(types.ModuleType):
    """The functions that we use of that module, as far as they can be had here."""

    LK_NBLCK = 2

    def __init__(self) -> None:
        super().__init__("msvcrt")
        self.binary: list[int] = []

    def locking(self, fd: int, mode: int, count: int) -> None:
        assert (mode, count) == (self.LK_NBLCK, 1)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PermissionError(errno.EACCES, "Permission denied") from error

    def setmode(self, fd: int, flags: int) -> None:
        self.binary.append(fd)


@pytest.fixture
def msvcrt(monkeypatch: pytest.MonkeyPatch) -> Msvcrt:
    module = Msvcrt()
    monkeypatch.setitem(sys.modules, "msvcrt", module)
    monkeypatch.setattr(sys, "platform", "win32")
    return module


def as_read_there(name: str) -> Any:
    """A second copy of a module, made while the platform is another one."""
    spec = importlib.util.find_spec(name)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_lock_of_a_place_is_one_holders(tmp_path: Path, msvcrt: Msvcrt) -> None:
    place = as_read_there("toolrouter.daemon.place")
    first, second = place.FileLock(str(tmp_path / "lock")), place.FileLock(str(tmp_path / "lock"))
    assert first.try_acquire()
    assert not second.try_acquire()
    first.release()
    assert second.try_acquire()
    second.release()


def test_the_lock_of_a_login_is_one_holders(tmp_path: Path, msvcrt: Msvcrt) -> None:
    module = as_read_there("toolrouter.upstream.oauth_store")
    fds = [os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT) for _ in range(2)]
    try:
        assert module._lock(fds[0])
        assert not module._lock(fds[1])
    finally:
        for fd in fds:
            os.close(fd)


def test_the_lock_of_the_state_is_one_holders(tmp_path: Path, msvcrt: Msvcrt) -> None:
    module = as_read_there("toolrouter.catalog.database")
    fds = [os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT) for _ in range(2)]
    try:
        assert module._try_lock(fds[0])
        assert not module._try_lock(fds[1])
    finally:
        for fd in fds:
            os.close(fd)


def test_files_without_modes_are_taken_for_private(tmp_path: Path, msvcrt: Msvcrt) -> None:
    there = as_read_there("toolrouter.daemon.place").Place(str(tmp_path), str(tmp_path / "c.json"))
    there.prepare()
    there.write_record({"pid": 1})
    Path(there.record_path).chmod(0o644)
    assert there.read_record() == {"pid": 1}


def test_a_connector_reads_and_writes_bytes_as_they_are(msvcrt: Msvcrt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "O_BINARY", 0x8000, raising=False)
    as_read_there("toolrouter.daemon.connector")._binary_streams()
    assert msvcrt.binary == [0, 1]


def test_without_sockets_in_files_the_daemon_listens_on_a_port_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(str(tmp_path), str(tmp_path / "c.json"))
    place.prepare()

    async def missing(*_: object, **__: object) -> None:
        raise AttributeError("module 'socket' has no attribute 'AF_UNIX'")

    async def listen() -> None:
        async with service._listening(place) as (address, _):
            assert isinstance(address, int)
            async with await anyio.connect_tcp("127.0.0.1", address):
                pass

    monkeypatch.setattr(anyio, "create_unix_listener", missing)
    asyncio.run(listen())


def test_the_path_of_a_socket_is_no_address_where_there_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(socket, "AF_UNIX")
    from toolrouter.daemon.place import connect

    with pytest.raises(OSError, match="no address"):
        connect(str(tmp_path / "daemon.sock"))


def test_what_a_starting_daemon_says_is_read_where_pipes_cannot_be_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.write(write, joining.READY)
    monkeypatch.setattr(joining.os, "name", "nt")
    said = joining._first_words(read)
    monkeypatch.undo()
    os.close(read)
    os.close(write)
    assert said == joining.READY


def test_a_process_whose_end_cannot_be_seen_is_taken_for_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control.os, "name", "nt")
    gone = control.wait_ended(os.getpid(), 0.0)
    monkeypatch.undo()
    assert gone


def test_without_signal_handlers_stopping_is_left_to_the_keyboard(msvcrt: Msvcrt) -> None:
    signals = as_read_there("toolrouter.server.signals")
    asyncio.run(signals.on_stop_signal(lambda: pytest.fail("nothing was sent")))


def test_without_process_groups_the_tree_of_a_server_is_ended_by_taskkill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "said"
    taskkill = tmp_path / "taskkill"
    taskkill.write_text(f'#!/bin/sh\necho "$@" > "{said}"\nkill -9 "$4"\n', encoding="utf-8")
    taskkill.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    async def stop() -> tuple[int, int | None]:
        process = await anyio.open_process(
            [sys.executable, "-c", "import time; time.sleep(600)"], stdin=subprocess.PIPE
        )
        async with process:
            monkeypatch.setattr(sys, "platform", "win32")
            await processes.stop_process(process, 2.0)
            monkeypatch.undo()
            return process.pid, process.returncode

    pid, status = asyncio.run(stop())
    assert said.read_text(encoding="utf-8").split() == ["/T", "/F", "/PID", str(pid)]
    assert status == -signal.SIGKILL

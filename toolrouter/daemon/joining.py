"""Joins the daemon of a place, starting it if need be. Of many that try at once, one starts it."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import time

from toolrouter import __version__
from toolrouter.daemon.greeting import OLDER, STOPPING, Refused, greet, is_older
from toolrouter.daemon.place import FileLock, Place, connect

START_S = 30.0
"""How long a daemon may take to come up, on a machine that has other things to do."""
GREETING_S = 6.0
"""How long a daemon that runs may take to say hello. Some hosts wait ten seconds for us."""
POLL_S = 0.01
READY = b"ready\n"


class NoDaemon(Exception):
    """There is no daemon and none can be had. `told`: it said itself what is wrong, in words for a person."""

    def __init__(self, reason: str, *, told: bool = False) -> None:
        super().__init__(reason)
        self.told = told


def join(place: Place, **more: object) -> tuple[socket.socket, bytes]:
    """A connection on which the daemon serves a host from now on, and bytes that came already. Raises NoDaemon."""
    deadline = time.monotonic() + START_S
    try:
        place.prepare()
        while True:
            found = _try_to_join(place, more)
            if found is not None:
                return found
            _start_in_turn(place)
            if time.monotonic() > deadline:
                raise NoDaemon(f"no daemon came up within {START_S:.0f} s")
    except OSError as error:
        raise NoDaemon(f"{place.folder}: {error}") from error


def join_running(place: Place, **more: object) -> tuple[socket.socket, bytes] | None:
    """The same with a daemon that runs; None when none does. Raises NoDaemon."""
    return _try_to_join(place, more)


def ask(place: Place, want: str, *, patience_s: float = GREETING_S, **more: object) -> dict[str, object] | None:
    """The answer of the running daemon to a command; None when there is none. Raises Refused."""
    record = place.read_record()
    if record is None:
        return None
    try:
        with connect(record.get("address")) as connection:
            connection.settimeout(patience_s)
            return greet(connection, record, want, **more)[0]
    except OSError:
        return None


def _try_to_join(place: Place, more: dict[str, object]) -> tuple[socket.socket, bytes] | None:
    record = place.read_record()
    if record is None:
        return None
    try:
        connection = connect(record.get("address"))
    except OSError:
        return None
    try:
        connection.settimeout(GREETING_S)
        rest = greet(connection, record, "serve", **more)[1]
        connection.settimeout(None)
        return connection, rest
    except TimeoutError as error:
        connection.close()
        raise NoDaemon(f"the daemon (process {record.get('pid')}) does not answer") from error
    except OSError:
        connection.close()
    except Refused as refusal:
        connection.close()
        _heed(place, refusal)
    return None


def _heed(place: Place, refusal: Refused) -> None:
    if refusal.reason == OLDER:
        _replace(place)
    elif refusal.reason != STOPPING:
        raise NoDaemon(f"the daemon refuses: {refusal.reason}") from refusal


def _replace(place: Place) -> None:
    """Asks a daemon of an older version to finish, and starts its successor."""
    turn = FileLock(place.start_lock)
    # Its hosts look for another one too. They must not start an older one before this one is there.
    if not turn.acquire(GREETING_S):
        return
    try:
        record = place.read_record()
        if record is None or not is_older(record.get("version"), __version__):
            return
        with contextlib.suppress(Refused):
            ask(place, "stop")
        lock = FileLock(place.life_lock)
        if lock.acquire(GREETING_S):
            lock.release()
            _start(place)
    finally:
        turn.release()


def _start_in_turn(place: Place) -> None:
    """Starts a daemon, unless somebody else is doing so. Returns when it is worth another look."""
    turn = FileLock(place.start_lock)
    if not turn.try_acquire():
        time.sleep(POLL_S)
        return
    try:
        if not _is_alive(place):
            _start(place)
        else:
            time.sleep(POLL_S)
    finally:
        turn.release()


def _is_alive(place: Place) -> bool:
    """Whether a daemon holds its lock: it is there, or is just leaving."""
    lock = FileLock(place.life_lock)
    if not lock.try_acquire():
        return True
    lock.release()
    return False


def _start(place: Place) -> None:
    """Starts the process, and waits until it can be joined. Raises NoDaemon."""
    import subprocess

    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    # The folder is looked at for this package alone: a stray `json.py` beside it must not be imported.
    code = f"import sys; sys.path.insert(0, {package!r}); import toolrouter; del sys.path[0]; "
    code += "from toolrouter.daemon.launch import main; main()"
    flags = 0
    for name in ("CREATE_NEW_PROCESS_GROUP", "CREATE_NO_WINDOW"):
        flags |= getattr(subprocess, name, 0)
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", code, place.home, place.config],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=os.path.dirname(place.config),
        start_new_session=os.name == "posix",
        creationflags=flags,
    )
    if process.stdout is None:
        raise NoDaemon("the daemon has no output")
    with process.stdout as output:
        said = _first_words(output.fileno())
    process.returncode = 0  # nobody waits for it: it outlives us
    if not said.endswith(READY):
        text = said.decode(errors="replace").strip()
        raise NoDaemon(text or "the daemon ended at once", told=text.startswith("toolrouter: "))


def _first_words(fd: int) -> bytes:
    """What the daemon says until it is ready, or until it ends."""
    said = b""
    deadline = time.monotonic() + START_S
    while not said.endswith(READY) and len(said) < 2**16:
        if os.name == "posix" and not select.select([fd], [], [], max(0.0, deadline - time.monotonic()))[0]:
            break
        chunk = os.read(fd, 2**12)
        if not chunk:
            break
        said += chunk
    return said

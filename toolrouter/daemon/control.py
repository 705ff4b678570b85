"""The side of commands: asks the running daemon, waits until it is gone."""

from __future__ import annotations

import os
import time

from toolrouter.daemon.greeting import Refused
from toolrouter.daemon.joining import ask
from toolrouter.daemon.place import FileLock, Place
from toolrouter.errors import ConfigError, ToolrouterError
from toolrouter.places import config_path, home_path, possible_configs
from toolrouter.types import JsonObject

STATUS_S = 5.0
STOP_S = 15.0
RESTART_S = 180.0


class DaemonError(ToolrouterError):
    """The daemon refuses, or does not do what it was asked."""


def find_place(config: str | None) -> Place:
    """Where the daemon of this config is found, if there is one; it may outlive the config. Raises ConfigError."""
    try:
        return Place(home_path(), config_path(config))
    except ConfigError:
        for path in possible_configs(config):
            place = Place(home_path(), path)
            if place.read_record() is not None:
                return place
        raise


def daemon_status(place: Place) -> JsonObject | None:
    """What the daemon says about itself; None when none runs."""
    return _ask(place, "status", STATUS_S)


def stop_daemon(place: Place) -> JsonObject | None:
    """Asks it to finish, and waits until it takes no host any more. None when none ran. Raises DaemonError."""
    answer = _ask(place, "stop", STATUS_S, by="person")
    if answer is None:
        return None
    lock = FileLock(place.life_lock)
    if not lock.acquire(STOP_S):
        raise DaemonError(f"The daemon (process {answer.get('pid')}) did not end within {STOP_S:.0f} s.")
    lock.release()
    return answer


def restart_server(place: Place, name: str) -> JsonObject | None:
    """How the start went: state and error. None when no daemon runs."""
    return _ask(place, "restart", RESTART_S, name=name)


def wait_ended(pid: int, patience_s: float = STOP_S) -> bool:
    """Whether the process is gone, with the servers it had, within that time. POSIX; elsewhere it is taken for gone."""
    if os.name != "posix":
        return True
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except OSError:
            return True
        time.sleep(0.05)
    return False


def _ask(place: Place, want: str, patience_s: float, **more: object) -> JsonObject | None:
    try:
        return ask(place, want, patience_s=patience_s, **more)
    except Refused as refusal:
        raise DaemonError(f"The daemon refuses: {refusal.reason}.") from refusal

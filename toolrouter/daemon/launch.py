"""The first thing a daemon process does: takes its place, or leaves it to another; says when it can be joined.

Called as `main()` with the home and the config as arguments. Whoever started it reads its output until it is ready.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from toolrouter.daemon.joining import READY
from toolrouter.daemon.place import FileLock, Place

if TYPE_CHECKING:
    from toolrouter.settings_file import Loaded

LOCK_S = 10.0
"""How long a predecessor that is just leaving is waited for."""


def main() -> None:
    """Serves hosts until none is left, and ends the process."""
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # our starter ignores it, and a process inherits that
    home, config = sys.argv[1:3]
    place = Place(home, config)
    os.environ["TOOLROUTER_HOME"] = place.home
    place.prepare()
    lock = FileLock(place.life_lock)
    if not lock.acquire(LOCK_S):
        sys.exit("another daemon holds the lock, and cannot be reached")
    sys.exit(_serve(place, lock))


def _serve(place: Place, lock: FileLock) -> int:
    import anyio

    from toolrouter.daemon.service import serve
    from toolrouter.errors import ToolrouterError
    from toolrouter.settings_file import ConfigWatch
    from toolrouter.telemetry.logs import configure_logs

    try:
        loaded, broken = _load(place)
        configure_logs(
            level=loaded.settings.router.log_level,
            home=Path(place.home),
            secrets=loaded.secrets,
            stderr_level="critical",
        )
        if broken:
            logging.getLogger(__name__).warning(
                "the config cannot be used, the last one that could stays in effect: %s", broken
            )
        anyio.run(serve, place, ConfigWatch(loaded, problem=broken), lock, _ready)
    except* ToolrouterError as group:
        # Whoever started it shows this.
        said = "toolrouter: " + "\n".join(str(error) for error in group.exceptions)
    except* OSError as group:
        # A full disk, no socket: who started it serves by itself, and says why.
        said = "\n".join(f"the daemon could not start: {error}" for error in _leaves(group))
    else:
        return 0
    os.write(2, f"{said}\n".encode(errors="replace"))
    return 1


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def _load(place: Place) -> tuple[Loaded, str]:
    """The config; where it is broken, the last one that was not, and what is wrong. Raises ConfigError."""
    from toolrouter.daemon.leaving import last_good
    from toolrouter.errors import ConfigError
    from toolrouter.settings_file import load_settings

    try:
        return load_settings(Path(place.config)), ""
    except ConfigError as error:
        if loaded := last_good(place):
            return loaded, str(error)
        raise


def _ready() -> None:
    """Tells the starter, and lets go of its streams: they must not stay open for as long as the daemon lives."""
    with contextlib.suppress(OSError):  # its host may have left meanwhile; the next one comes
        os.write(1, READY)
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    os.close(nothing)

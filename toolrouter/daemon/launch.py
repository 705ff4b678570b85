"""The first thing a daemon process does: takes its place, or leaves it to another; says when it can be joined.

Called as `main()` with the home and the config as arguments. Whoever started it reads its output until it is ready.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from toolrouter.daemon.joining import READY
from toolrouter.daemon.place import FileLock, Place

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
    from toolrouter.settings_file import load_settings
    from toolrouter.telemetry.logs import configure_logs

    try:
        loaded = load_settings(Path(place.config))
        configure_logs(
            level=loaded.settings.router.log_level,
            home=Path(place.home),
            secrets=loaded.secrets,
            stderr_level="critical",
        )
        anyio.run(serve, place, loaded, lock, _ready)
    except* ToolrouterError as group:
        # Whoever started it shows this.
        problem = "\n".join(str(error) for error in group.exceptions)
    else:
        return 0
    os.write(2, f"toolrouter: {problem}\n".encode(errors="replace"))
    return 1


def _ready() -> None:
    """Tells the starter, and lets go of its streams: they must not stay open for as long as the daemon lives."""
    os.write(1, READY)
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    os.close(nothing)

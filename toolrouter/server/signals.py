"""Stops what serves in order when the process is asked to end."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable

import anyio
from anyio.abc import TaskStatus

logger = logging.getLogger(__name__)


async def on_stop_signal(
    stop: Callable[[], object], *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """Calls `stop` at the first SIGTERM or SIGINT. A second one ends the process at once, as it would without us."""
    if sys.platform == "win32":
        task_status.started()
        return  # the event loop there has no signal handlers; Ctrl-C raises KeyboardInterrupt
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for received in signals:
            logger.info("stopping on %s", received.name)
            stop()
            return

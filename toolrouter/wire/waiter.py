"""A request of ours that is not answered yet: its clock, and what is to be done before its result is handed over."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable

import anyio

from toolrouter.types import JsonObject
from toolrouter.wire.caller import CALLER

logger = logging.getLogger(__name__)

MAX_EXTENSIONS = 12
"""A request whose progress keeps coming may take this many times its time limit, then it ends all the same."""

ASKING_S = 900.0
"""How long a request may wait for a person, on top of its own time limit, while the other side asks something."""

MAX_QUEUED_PROGRESS = 64
"""What a slow receiver may leave unread; beyond it the oldest is dropped."""

OnProgress = Callable[[JsonObject], Awaitable[None]]


class Waiter:
    """Made and awaited in the requester's task."""

    __slots__ = (
        "caller",
        "error",
        "hard_deadline",
        "on_progress",
        "queue",
        "result",
        "scope",
        "settled",
        "timeout_s",
        "wake",
    )

    def __init__(self, timeout_s: float, on_progress: OnProgress | None) -> None:
        now = anyio.current_time()
        self.timeout_s = timeout_s
        self.hard_deadline = now + timeout_s * MAX_EXTENSIONS
        self.scope = anyio.CancelScope(deadline=now + timeout_s)
        self.settled = False
        self.result: JsonObject = {}
        self.error: Exception | None = None
        self.on_progress = on_progress
        self.caller = CALLER.get()
        self.queue: deque[tuple[Callable[..., Awaitable[None]], tuple[object, ...]]] = deque(maxlen=MAX_QUEUED_PROGRESS)
        self.wake = anyio.Event()

    def settle(self, result: JsonObject, error: Exception | None = None) -> None:
        if not self.settled:
            self.settled, self.result, self.error = True, result, error
            self.wake.set()

    def take_progress(self, params: JsonObject) -> None:
        self.grant(self.timeout_s)
        if self.on_progress is not None:
            self.take(self.on_progress, params)

    def take(self, function: Callable[..., Awaitable[None]], *arguments: object) -> None:
        """Has something done in the requester's task: in order, and before the result is handed over."""
        self.queue.append((function, arguments))
        self.wake.set()

    def grant(self, seconds: float) -> None:
        """Restarts the clock."""
        self.scope.deadline = min(anyio.current_time() + seconds, self.hard_deadline)

    def pause(self) -> None:
        """Gives a person the time to answer."""
        self.hard_deadline = max(self.hard_deadline, anyio.current_time() + ASKING_S + self.timeout_s)
        self.grant(ASKING_S)

    async def wait(self) -> None:
        while not (self.settled and not self.queue):
            await self.wake.wait()
            self.wake = anyio.Event()
            while self.queue:
                function, arguments = self.queue.popleft()
                await contained(function, *arguments)


async def contained(function: Callable[..., Awaitable[None]], *arguments: object) -> None:
    try:
        await function(*arguments)
    except Exception:  # a call boundary: one notification never costs the connection
        logger.exception("a notification could not be handled")

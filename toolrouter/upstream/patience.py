"""How long to leave a failing upstream alone."""

from __future__ import annotations

import random

import anyio

FIRST_S = 1.0
LONGEST_S = 600.0
LONGEST_FOR_CALLS_S = 60.0
"""A call is something a person waits for: it may try again sooner than the background does."""
JITTER = 0.2


class Patience:
    """Exponential back-off with jitter. One crash after a good start is forgiven at once, a series is not."""

    def __init__(self) -> None:
        self.reason = ""
        """What went wrong last."""
        self._forgiven: object = (0, 0)
        self._failures = 0
        self._failed_at = 0.0
        self._pause_s = 0.0

    def wait_s(self, longest_s: float = LONGEST_S) -> float:
        """Seconds until the next attempt is allowed; 0 when it is now."""
        return max(0.0, self._failed_at + min(self._pause_s, longest_s) - anyio.current_time())

    def failed(self, reason: str) -> None:
        """A start failed."""
        self.reason = reason
        self._failures += 1
        self._pause(self._failures - 1)

    def ended(self, reason: str, *, stable: bool) -> None:
        """A run that had started well ended by itself."""
        self.reason = reason
        self._failures = 1 if stable else self._failures + 1
        if self._failures == 1:
            self._pause_s = 0.0
        else:
            self._pause(self._failures - 2)

    def forgive(self, mark: object) -> None:
        """Forgets failures, once for each mark."""
        if mark != self._forgiven:
            self._forgiven = mark
            self.reset()

    def reset(self) -> None:
        self._failures = 0
        self._pause_s = 0.0

    def _pause(self, doublings: int) -> None:
        base_s = min(LONGEST_S, FIRST_S * 2 ** min(doublings, 20))
        self._pause_s = base_s * (1 + random.uniform(-JITTER, JITTER))  # noqa: S311  spreads retries, guards nothing
        self._failed_at = anyio.current_time()

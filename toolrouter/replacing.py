"""Puts a finished draft in a file's place, in one step. Standard library only: what hosts start waits for it."""

from __future__ import annotations

import os
import time

PATIENCE_S = 1.0
POLL_S = 0.02


def replace_by(draft: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Whoever reads `path` sees the old bytes or the new ones. Raises OSError.

    Windows refuses as long as somebody has the old file open, a reader or a virus scanner: that is waited for, briefly.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            os.replace(draft, path)
        except PermissionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_S)
        else:
            return

"""What people ask programs to do in general, far beyond any one catalog."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def capabilities() -> tuple[str, ...]:
    """Return the lines of `toolrouter/data/capabilities.txt`, one capability each."""
    lines = (files("toolrouter") / "data" / "capabilities.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))

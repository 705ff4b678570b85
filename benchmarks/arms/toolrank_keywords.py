"""toolrank, keyword stage (no embedding model), in an environment of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.arms import Opened, Place
from benchmarks.arms.worker import open_worker
from toolrouter.evaluation.sets import EvalSet

ABOUT = "toolrank, keyword stage (no embedding model)"
PACKAGE = "toolrank[mcp]"


@contextmanager
def open_arm(found: EvalSet, place: Place) -> Iterator[Opened]:
    with open_worker("toolrank", PACKAGE, found, place) as opened:
        yield opened

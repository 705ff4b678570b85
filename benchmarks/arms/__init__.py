"""Compared strategies, one module each: `ABOUT`, `PACKAGE` where it is somebody else's, and `open_arm`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from toolrouter.evaluation.arms import Arm
from toolrouter.evaluation.sets import EvalSet

OURS = ("toolrouter_hybrid", "toolrouter_dense", "toolrouter_lexical")
REFERENCES = ("bm25", "minilm", "rrf")
RIVALS = ("fastmcp_bm25", "ratel_bm25", "toolrank_keywords")
ARMS = (*REFERENCES, *RIVALS, *OURS)


class NotInstalled(Exception):
    """What an arm needs is not there; the message says how to install it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where arms find what they need."""

    venvs: Path
    """A folder with one virtual environment per rival, by the name of its package."""
    home: Path
    """Where vectors are kept between runs."""
    models: Mapping[str, Path] = field(default_factory=dict)
    """A set to the folder of the model that our arms measure it with, in place of the one that ships."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An arm that is ready for queries."""

    arm: Arm
    versions: dict[str, str]


@contextmanager
def open_arm(name: str, found: EvalSet, place: Place) -> Iterator[Opened]:
    """Raises NotInstalled."""
    with import_module(f"benchmarks.arms.{name}").open_arm(found, place) as opened:
        yield opened


def about(name: str) -> str:
    return str(import_module(f"benchmarks.arms.{name}").ABOUT)

"""toolrouter's own search, with one of its retrievers, as `toolrouter serve` runs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version

from benchmarks.arms import Opened, Place
from toolrouter.catalog.text import TOOL_TEXT_VERSION
from toolrouter.evaluation.arms import open_arm
from toolrouter.evaluation.indexing import open_index
from toolrouter.evaluation.sets import EvalSet
from toolrouter.retrieval.search import SearchOptions


@contextmanager
def open_router_arm(retriever: str, found: EvalSet, place: Place) -> Iterator[Opened]:
    folder = place.models.get(found.name)
    embedder = f"builtin:{folder}" if folder else "builtin"
    index = open_index(found, retriever=retriever, embedder=embedder, home=place.home)
    try:
        own = version("toolrouter")
    except PackageNotFoundError:
        own = "checkout"
    model = index.dense.embed.embedder.name if index.dense else "none"
    versions = {"toolrouter": own, "model": model, "tool text": str(TOOL_TEXT_VERSION)}
    yield Opened(open_arm(index, SearchOptions(retriever=retriever)), versions)

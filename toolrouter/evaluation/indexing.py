"""Builds the search index of a set; vectors are kept, so that the next run embeds nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from toolrouter.catalog.signature import signature
from toolrouter.catalog.store import open_store
from toolrouter.catalog.tokens import count_tokens
from toolrouter.errors import ModelError
from toolrouter.evaluation.embedders import open_embedder
from toolrouter.evaluation.sets import EvalSet
from toolrouter.retrieval.search_index import SearchIndex, build_search_index

FOLDER = "evaluation"
"""Under the home folder: vectors of sets stay apart from the state of the router."""


def open_index(
    found: EvalSet,
    *,
    retriever: str,
    embedder: str,
    home: Path,
    on_progress: Callable[[int, int], None] | None = None,
) -> SearchIndex:
    """Raises ModelError when an embedder is needed and fails: half a retriever is not what was to be measured."""
    chosen = None if retriever == "lexical" else open_embedder(embedder)
    store = open_store(home / FOLDER)
    try:
        index = build_search_index(found.tools, found.servers, embedder=chosen, store=store, on_progress=on_progress)
    finally:
        store.close()
    if index.warning:
        raise ModelError(index.warning)
    return index


def line_cost(found: EvalSet) -> Callable[[str], int]:
    """The o200k tokens of the signature line of a tool."""
    tools = {str(tool.id): tool for tool in found.tools}

    @cache
    def cost(tool_id: str) -> int:
        return count_tokens(signature(tools[tool_id]))

    return cost

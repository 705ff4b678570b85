"""Which tools that nobody has approved might have been hits: how many, of whom, and what to do, in our words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

from toolrouter.types import Status

if TYPE_CHECKING:
    from toolrouter.catalog.snapshot import Catalog
    from toolrouter.types import Tool

MAX_SERVERS: Final = 3
READ_CHARS: Final = 400
MAX_READ: Final = 500
"""So many waiting tools of one server are looked at: every search does it, while other hosts wait."""
MIN_SHARE: Final = 0.5


def awaiting_review(
    catalog: Catalog, queries: Sequence[str], servers: Collection[str] | None, enabled: Collection[str]
) -> list[str]:
    """Returns a line for the model about each server whose waiting tools might serve."""
    found = _might_serve(catalog, queries, servers, enabled)
    return [f"{_tools(n, alias)} the user's review: ask them to run {_command(alias)}." for alias, n in found.items()]


def awaiting_you(
    catalog: Catalog, queries: Sequence[str], servers: Collection[str] | None, enabled: Collection[str]
) -> list[str]:
    """The same for the person who decides."""
    found = _might_serve(catalog, queries, servers, enabled)
    return [f"{_tools(n, alias)} your review, and might fit: run {_command(alias)}." for alias, n in found.items()]


def _might_serve(
    catalog: Catalog, queries: Sequence[str], servers: Collection[str] | None, enabled: Collection[str]
) -> dict[str, int]:
    """How many waiting tools share enough words with a query, for the servers that have most of them."""
    wanted = None if servers is None else {name.casefold() for name in servers}
    waiting: dict[str, list[Tool]] = defaultdict(list)
    for tool in catalog.tools.values():
        if tool.status in (Status.PENDING, Status.WITHDRAWN) and len(waiting[tool.server]) < MAX_READ:
            waiting[tool.server].append(tool)
    asked = [words for query in queries if (words := _asked(query))] if waiting else []
    found = {
        alias: sum(_shares_words(tool, asked) for tool in tools)
        for alias, tools in waiting.items()
        if alias in enabled and (wanted is None or alias.casefold() in wanted)
    }
    likely = sorted((alias for alias, count in found.items() if count), key=lambda alias: (-found[alias], alias))
    return {alias: found[alias] for alias in likely[:MAX_SERVERS]}


def _tools(count: int, alias: str) -> str:
    return f"1 tool of server {alias} awaits" if count == 1 else f"{count} tools of server {alias} await"


def _command(alias: str) -> str:
    return f"`toolrouter review {alias}`"


def _asked(query: str) -> frozenset[str]:
    from toolrouter.index.words import STOP_WORDS, words  # searching is loaded when somebody searches

    return frozenset(words(query)) - STOP_WORDS


def _shares_words(tool: Tool, asked: Sequence[frozenset[str]]) -> bool:
    from toolrouter.index.words import words

    said = frozenset(words(f"{tool.server} {tool.name} {tool.description[:READ_CHARS]}"))
    return any(len(each & said) >= MIN_SHARE * len(each) for each in asked)

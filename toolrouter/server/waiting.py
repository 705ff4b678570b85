"""Says that tools which nobody has approved might have been hits, in our words: how many, of whom, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

from toolrouter.types import Status

if TYPE_CHECKING:
    from toolrouter.catalog.snapshot import Catalog
    from toolrouter.types import Tool

MAX_SERVERS: Final = 3
READ_CHARS: Final = 400
MIN_SHARE: Final = 0.5


def awaiting_review(
    catalog: Catalog, queries: Sequence[str], servers: Collection[str] | None, enabled: Collection[str]
) -> list[str]:
    """Returns a line for each server whose waiting tools share enough words with a query."""
    waiting = [
        tool
        for tool in catalog.tools.values()
        if tool.status in (Status.PENDING, Status.WITHDRAWN)
        and tool.server in enabled
        and (servers is None or tool.server.casefold() in {name.casefold() for name in servers})
    ]
    if not waiting:
        return []
    found = Counter(tool.server for tool in waiting if _might_serve(tool, queries))
    return [_line(alias, count) for alias, count in found.most_common(MAX_SERVERS)]


def _line(alias: str, count: int) -> str:
    tools = "1 tool" if count == 1 else f"{count} tools"
    await_ = "awaits" if count == 1 else "await"
    return f"{tools} of server {alias} {await_} the user's review: ask them to run `toolrouter review {alias}`."


def _might_serve(tool: Tool, queries: Sequence[str]) -> bool:
    from toolrouter.index.words import STOP_WORDS, words  # searching is loaded when somebody searches

    said = set(words(f"{tool.server} {tool.name} {tool.description[:READ_CHARS]}"))
    for query in queries:
        asked = {word for word in words(query) if word not in STOP_WORDS}
        if asked and len(asked & said) >= MIN_SHARE * len(asked):
            return True
    return False

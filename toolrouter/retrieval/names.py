"""Tools that a query calls by name: `create_issue`, `github__create_issue`, "use github/create_issue to ..."."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from toolrouter.types import Tool

BARE: Final = 1
QUALIFIED: Final = 2
MAX_CHARACTERS: Final = 4_000
MAX_PLAIN_WORDS: Final = 12

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS = re.compile(r"[\W_]+")
_QUOTES: Final = "`\"'\u2018\u2019\u201c\u201d\u00ab\u00bb"
_QUOTED = re.compile(rf"[{_QUOTES}]([^{_QUOTES}\n]{{2,80}})[{_QUOTES}]")
_IDENTIFIER = re.compile(r"\w(?:[\w.:/\-]*\w)?")
_JOINT = re.compile(r"[_.:/\-]|[a-z0-9][A-Z]")
_CALLED_TOOL = (
    re.compile(r"\b(?:tool|function)\s+(?:called\s+|named\s+)?(\w+)", re.IGNORECASE),
    re.compile(r"\b(\w+)\s+(?:tool|function)\b", re.IGNORECASE),
)


@dataclass(frozen=True, slots=True)
class Mention:
    """A tool that a query names: how fully, and where."""

    row: int
    specificity: int
    position: int
    is_verbatim: bool = False
    """Letter by letter, unlike `search-records` for a tool `search_records`."""


class NameIndex:
    """Finds the tools that a text names."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = tools
        self._bare: dict[str, list[int]] = defaultdict(list)
        self._qualified: dict[str, list[int]] = defaultdict(list)
        for row, tool in enumerate(tools):
            self._bare[_key(tool.name)].append(row)
            for key in {_key(tool.id), _key(f"{tool.server} {tool.name}")} - {_key(tool.name)}:
                self._qualified[key].append(row)
        for index in (self._bare, self._qualified):
            index.pop("", None)

    def mentioned(self, query: str) -> list[Mention]:
        """Return the tools that the query names, the most fully named first, then by position and row."""
        best: dict[int, Mention] = {}
        for position, span in _spans(query[:MAX_CHARACTERS]):
            for mention in self._named(span, position):
                known = best.get(mention.row)
                if known is None or mention.specificity > known.specificity:
                    best[mention.row] = mention
        return sorted(
            best.values(), key=lambda found: (-found.specificity, found.position, not found.is_verbatim, found.row)
        )

    def _named(self, span: str, position: int) -> Iterator[Mention]:
        for part in _suffixes(span):
            key = _key(part)
            if key in self._qualified:
                rows = [*self._qualified[key], *self._namesakes(key, part)]
                yield from (Mention(row, QUALIFIED, position, self._is_verbatim(row, part)) for row in rows)
                return
            if key in self._bare:
                yield from (Mention(row, BARE, position, self._is_verbatim(row, part)) for row in self._bare[key])
                return

    def _namesakes(self, key: str, part: str) -> Iterator[int]:
        """Yield the tools `wiki_search` of a server `wiki` that has a tool `search` too.

        Not those of other servers: who takes the name of another's tool must not stand before it.
        """
        servers = {self._tools[row].server for row in self._qualified[key]}
        for row in self._bare.get(key, ()):
            if self._tools[row].server in servers and self._is_verbatim(row, part):
                yield row

    def _is_verbatim(self, row: int, part: str) -> bool:
        return part in (self._tools[row].name, self._tools[row].id)


def _spans(query: str) -> Iterator[tuple[int, str]]:
    """Yield what may be a name with its position: identifiers, quoted text, the whole query if it is short."""
    if len(query.split()) <= MAX_PLAIN_WORDS:
        yield 0, query
    for match in _IDENTIFIER.finditer(query):
        if _JOINT.search(match.group()):
            yield match.start(), match.group()
    for match in _QUOTED.finditer(query):
        # One plain word in quotes is more often data than a tool.
        if match.group().startswith("`") or _JOINT.search(match.group(1)) or " " in match.group(1).strip():
            yield match.start(), match.group(1)
    for pattern in _CALLED_TOOL:
        for match in pattern.finditer(query):
            yield match.start(), match.group(1)


def _suffixes(span: str) -> Iterator[str]:
    """Yield the span, then what remains without prefixes: hosts write `mcp__router__github__create_issue`."""
    yield span
    while "__" in span and not span.count(" "):
        span = span.split("__", 1)[1]
        yield span


def _key(text: str) -> str:
    return _SEPARATORS.sub("_", _CAMEL.sub("_", text)).strip("_").casefold()

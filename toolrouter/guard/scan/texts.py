"""Every string of a definition, in reading order, with the place it stands at.

A definition is hostile input: it may be deep, wide and long. The walk is iterative and stops at bounds, and
says when it did.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from toolrouter.guard.scan.vocabulary import words

MAX_TEXTS: Final = 20_000
MAX_DEPTH: Final = 64
MAX_CHARS: Final = 200_000
"""How much is read for phrases. What is longer is itself a finding."""

_FIRST: Final = ("name", "title", "description", "text", "instructions", "uri", "uriTemplate")
_PROPERTY_MAPS: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_SPACES: Final = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Text:
    """One string of a definition."""

    where: str
    value: str
    is_key: bool = False
    """It is the name of a property rather than a value."""
    is_property: bool = False
    """It names a parameter: a key below `properties`."""


@dataclass(frozen=True, slots=True)
class Walk:
    """The strings of a definition, and whether all of them were reached."""

    texts: tuple[Text, ...]
    complete: bool


def walk(raw: object) -> Walk:
    """Return every string in `raw`, property names included, in reading order: name and description first."""
    found: list[Text] = []
    stack: list[tuple[str, object, int, bool]] = [("", raw, 0, False)]
    complete = True
    while stack:
        where, value, depth, names_parameters = stack.pop()
        if isinstance(value, str):
            found.append(Text(where, value))
        elif depth >= MAX_DEPTH or len(found) >= MAX_TEXTS:
            complete = complete and not isinstance(value, (dict, list))
        elif isinstance(value, dict):
            stack.extend(reversed(list(_entries(where, value, depth, names_parameters))))
        elif isinstance(value, list):
            stack.extend((f"{where}/{i}", item, depth + 1, False) for i, item in reversed(list(enumerate(value))))
        elif isinstance(value, Text):
            found.append(value)
    return Walk(tuple(found), complete)


def _entries(
    where: str, value: dict[Any, Any], depth: int, names_parameters: bool
) -> Iterator[tuple[str, object, int, bool]]:
    keys = [key for key in _FIRST if key in value and not names_parameters]
    keys += [key for key in value if names_parameters or key not in _FIRST]
    for key in keys:
        place = f"{where}/{_escaped(str(key))}"
        yield place, Text(place, str(key), is_key=True, is_property=names_parameters), depth + 1, False
        yield place, value[key], depth + 1, key in _PROPERTY_MAPS and not names_parameters


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


@dataclass(frozen=True, slots=True)
class Page:
    """Many strings as one line each, so that one pass of a pattern reads all of them."""

    text: str
    starts: tuple[int, ...] = field(repr=False)
    places: tuple[str, ...] = field(repr=False)
    cut: bool = False

    def where(self, offset: int) -> str:
        """Return the place of the string that `offset` lies in."""
        if not self.places:
            return ""
        return self.places[max(0, bisect.bisect_right(self.starts, offset) - 1)]


def lay_out(texts: Sequence[Text], *, max_chars: int = MAX_CHARS) -> Page:
    """Return the page of `texts`: white space collapsed, one string a line, at most `max_chars`."""
    lines: list[str] = []
    starts: list[int] = []
    places: list[str] = []
    at = 0
    cut = False
    for text in texts:
        if text.value in words("inert") and not text.is_property:
            continue
        line = _SPACES.sub(" ", text.value[: max_chars + 1])
        if at + len(line) > max_chars:
            line, cut = line[: max(0, max_chars - at)], True
        if line:
            lines.append(line)
            starts.append(at)
            places.append(text.where)
            at += len(line) + 1
        if cut:
            break
    return Page("\n".join(lines), tuple(starts), tuple(places), cut)

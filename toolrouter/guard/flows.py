"""The three that must not meet in one conversation: private data, words of strangers, and a way out.

Labels come from the config, else from what tools are called; they are set by calls, not by what is installed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from toolrouter.guard.classes import any_matches

if TYPE_CHECKING:
    from toolrouter.config import ServerOptions
    from toolrouter.types import Tool


class Leg(StrEnum):
    PRIVATE = "private data"
    UNTRUSTED = "untrusted content"
    SINK = "a public sink"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_NAMES: Final = {
    Leg.PRIVATE: _words(
        "file files directory mail email emails inbox message messages calendar contact contacts secret "
        "secrets password credentials database sql table notes document documents drive repository memory"
    ),
    Leg.UNTRUSTED: _words(
        "web fetch browse browser url page website scrape issue issues comment comments rss feed inbox emails "
        "search crawl"
    ),
    Leg.SINK: _words(
        "send post publish upload tweet share webhook comment reply push fetch url request http browser browse navigate"
    ),
}


def legs_of(tool: Tool, options: ServerOptions) -> frozenset[Leg]:
    """Returns which of the three a call of this tool brings into a conversation."""
    return _legs(tool.name, tool.id, options)


def legs_of_read(name: str, qualified: str, options: ServerOptions) -> frozenset[Leg]:
    """Returns what a prompt, by its name, or a resource, by its URI, brings along: it is no way out."""
    return _legs(name, qualified, options) - {Leg.SINK}


def _legs(name: str, qualified: str, options: ServerOptions) -> frozenset[Leg]:
    told = {Leg.PRIVATE: options.private, Leg.UNTRUSTED: options.untrusted, Leg.SINK: options.public_sink}
    words = frozenset(word.casefold() for word in _WORDS.findall(name))
    return frozenset(
        leg
        for leg, globs in told.items()
        if (any_matches((name, qualified), globs) if globs is not None else not words.isdisjoint(_NAMES[leg]))
    )


@dataclass(slots=True)
class Conversation:
    """One connection of one host, and what its calls have brought into it."""

    host: str = ""
    legs: dict[Leg, str] = field(default_factory=dict)
    """Each with the tool, prompt or resource that brought it."""

    def completes(self, legs: frozenset[Leg]) -> bool:
        """Whether a call with these legs would send something out after both others were in."""
        return Leg.SINK in legs and {Leg.PRIVATE, Leg.UNTRUSTED} <= {*self.legs, *legs} and bool(self.legs)

    def note(self, tool: str, legs: frozenset[Leg]) -> None:
        for leg in legs:
            self.legs.setdefault(leg, tool)

    def story(self) -> str:
        return ", ".join(f"{leg} by {tool}" for leg, tool in self.legs.items() if leg is not Leg.SINK)

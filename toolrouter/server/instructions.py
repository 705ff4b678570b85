"""The text a host shows the model about the whole server: when to search, and which servers stand behind it.

Agents do not search when nothing names the servers, so the roster is the part that matters. It shrinks with the number
of servers: with a line about each, with counts, as bare names, and at last as the first names and how many more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from toolrouter.config import Exposure
from toolrouter.server.roster import RosterEntry
from toolrouter.server.words import clip

MAX_BYTES = 2_000
COMFORTABLE_BYTES = 1_150
"""Beyond this, lines about servers are shortened; names are only dropped beyond MAX_BYTES."""

_SEARCH = (
    "Whenever a task might need anything from the servers below, call search_tools first: their tools are not listed, "
    "search_tools finds them and call_tool runs them."
)
_ALL = "The tools of the servers below, named server__tool."

_Form = Callable[[RosterEntry], str]
_FORMS: tuple[_Form, ...] = (
    lambda entry: f"{_counted(entry)}: {entry.about}" if entry.about else _counted(entry),
    lambda entry: f"{_counted(entry)}: {clip(entry.about, 32)}" if entry.about else _counted(entry),
)


def instructions(roster: Sequence[RosterEntry], exposure: Exposure) -> str:
    """At most MAX_BYTES of UTF-8."""
    head = _ALL if exposure is Exposure.ALL else _SEARCH
    if not roster:
        return f"{head} No server is configured yet."
    for form in _FORMS:
        text = "\n".join([head, *(form(entry) for entry in roster)])
        if _size(text) <= COMFORTABLE_BYTES:
            return text
    counted = f"{head}\n{', '.join(_counted(entry) for entry in roster)}"
    if _size(counted) <= COMFORTABLE_BYTES:
        return counted
    return f"{head}\n{_names(roster, MAX_BYTES - _size(head) - 1)}"


def _names(roster: Sequence[RosterEntry], room: int) -> str:
    names = [entry.alias for entry in roster]
    text = ", ".join(names)
    shown = len(names)
    while _size(text) > room:
        shown -= 1
        text = f"{', '.join(names[:shown])} and {len(names) - shown} more"
    return text


def _counted(entry: RosterEntry) -> str:
    return f"{entry.alias} ({entry.tools})" if entry.indexed else entry.alias


def _size(text: str) -> int:
    return len(text.encode())

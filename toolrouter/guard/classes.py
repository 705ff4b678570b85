"""What calling a tool may do: read, write, or destroy. What the server claims can only make it worse."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from toolrouter.config import ServerOptions
    from toolrouter.types import Tool


class ToolClass(StrEnum):
    READ = "read"
    WRITE = "write"
    DESTRUCTIVE = "destructive"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CASE: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
_DESTROYS: Final = _words(
    "delete remove destroy drop purge erase wipe truncate kill terminate uninstall revoke format reset "
    "unlink rm shutdown overwrite"
)
_WRITES: Final = _DESTROYS | _words(
    "write create update insert edit modify patch put post send publish upload set add append move rename "
    "copy execute exec run eval deploy install merge push commit pay transfer buy order book cancel "
    "approve grant invite submit save restore replace apply import start stop restart enable disable "
    "mkdir chmod"
)
# A verb decides only where it leads: `list_deleted_files` and `get_run` read.
_LOOKS: Final = _words(
    "get list read search find show view describe query fetch lookup count check inspect browse preview "
    "status explain compare diff tail head cat stat whoami help validate"
)


def class_of(tool: Tool, options: ServerOptions) -> ToolClass:
    """Returns the class of a tool: as the config says, else the worst of what its name and its server say.

    A hint never lifts a gate: `delete_file` is destructive though its server calls it read-only, and a tool that says
    nothing is taken to write.
    """
    for kind, globs in (
        (ToolClass.DESTRUCTIVE, options.destructive),
        (ToolClass.WRITE, options.write),
        (ToolClass.READ, options.read),
    ):
        if matches(tool, globs):
            return kind
    hints = tool.raw.get("annotations")
    hints = hints if isinstance(hints, dict) else {}
    named = _named(tool.name)
    if named is ToolClass.DESTRUCTIVE or (hints.get("destructiveHint") is True and not tool.read_only):
        return ToolClass.DESTRUCTIVE
    if named is ToolClass.WRITE or not tool.read_only or hints.get("destructiveHint") is True:
        return ToolClass.WRITE
    return ToolClass.READ


def matches(tool: Tool, globs: Sequence[str]) -> bool:
    """Whether one of these globs means the tool, by its own name or its id, in any case."""
    return any_matches((tool.name, tool.id), globs)


def any_matches(names: Iterable[str], globs: Sequence[str]) -> bool:
    """Whether one of these globs means one of the names, in any case."""
    return any(fnmatchcase(name.casefold(), glob.casefold()) for name in names for glob in globs)


def _named(name: str) -> ToolClass | None:
    words = [word.casefold() for word in _CASE.split(name) if word]
    if not words or words[0] in _LOOKS:
        return None
    if _DESTROYS.intersection(words):
        return ToolClass.DESTRUCTIVE
    return ToolClass.WRITE if words[0] in _WRITES else None

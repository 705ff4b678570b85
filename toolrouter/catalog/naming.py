"""Qualified names. A tool's id depends on its server's alias and its own name alone, so nothing that comes or goes
can rename it.

An id is `alias__name` where that reads back unambiguously, and otherwise a readable rest of both with a hash of both.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from toolrouter.types import ToolId

SEPARATOR: Final = "__"
# Hosts put `mcp__toolrouter__` (17 characters) before a listed name, and models accept 64.
MAX_ID_CHARS: Final = 47
_ALIAS_CHARS: Final = 18
_HASH_CHARS: Final = 8

# Neither `__` inside nor `_` at the end, so that the first `__` of an id always ends the alias.
_PLAIN_ALIAS = re.compile(r"(?!.*__)[A-Za-z0-9_-]*[A-Za-z0-9-]")
# A name that looks hashed is hashed again: no plain id can equal a hashed one.
_PLAIN_NAME = re.compile(rf"(?!.*_[0-9a-f]{{{_HASH_CHARS}}}\Z)[A-Za-z0-9_-]+")
_FOREIGN = re.compile(r"[^A-Za-z0-9-]+")
_LOOKALIKES = str.maketrans({"1": "l", "i": "l", "|": "l", "0": "o", "5": "s", "-": "", "_": "", ".": "", " ": ""})


def assign_ids(alias: str, names: Iterable[str]) -> dict[str, ToolId]:
    """Returns the id of each of a server's tools by the upstream's own name."""
    return {name: tool_id(alias, name) for name in names}


def tool_id(alias: str, name: str) -> ToolId:
    """Returns the qualified name of one tool: at most `MAX_ID_CHARS` of [A-Za-z0-9_-], always with a `__`."""
    plain = f"{alias}{SEPARATOR}{name}"
    if len(plain) <= MAX_ID_CHARS and _PLAIN_ALIAS.fullmatch(alias) and _PLAIN_NAME.fullmatch(name):
        return ToolId(plain)
    digest = hashlib.sha256(f"{alias}\0{name}".encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_CHARS]
    owner = _readable(alias, _ALIAS_CHARS) or "server"
    room = MAX_ID_CHARS - len(owner) - len(SEPARATOR) - 1 - _HASH_CHARS
    return ToolId(f"{owner}{SEPARATOR}{_readable(name, room) or 'tool'}_{digest}")


def skeleton(name: str) -> str:
    """Returns what a hurried reader sees of a name: two names with one skeleton are easily taken for each other."""
    folded = unicodedata.normalize("NFKC", name[:256]).casefold().translate(_LOOKALIKES)
    return folded.replace("rn", "m").replace("vv", "w")


def _readable(text: str, limit: int) -> str:
    return _FOREIGN.sub("_", text[: 4 * limit]).strip("_")[:limit].rstrip("_")

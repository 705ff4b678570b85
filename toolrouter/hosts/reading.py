"""Reads the servers out of a host's config file, whichever host wrote it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from toolrouter.errors import ConfigError
from toolrouter.settings_file import read_config
from toolrouter.types import JsonObject

_PLACES = (("mcpServers",), ("servers",), ("mcp_servers",), ("mcp", "servers"), ("mcp",), ("context_servers",))
"""Claude, Cursor, Windsurf, Gemini; VS Code's mcp.json; Codex; VS Code's settings.json; opencode; Zed."""
_OURS = "toolrouter"


@dataclass(frozen=True, slots=True)
class Found:
    """What a host's file holds."""

    servers: dict[str, JsonObject]
    """By a name that toolrouter can use."""
    renamed: dict[str, str]
    """The host's name → ours, where it could not stay."""
    skipped: dict[str, str]
    """The host's name → why it was left out."""


def servers_in(path: Path) -> Found:
    """Raises ConfigError when the file cannot be read or holds no servers."""
    document = read_config(path).document
    entries = next((entries for place in _PLACES if (entries := _at(document, place))), None)
    if entries is None:
        raise ConfigError(
            f"{path} holds no servers: expected an object `mcpServers` (or `servers`, as VS Code has it)."
        )
    found = Found({}, {}, {})
    for name, entry in entries.items():
        _take(found, name, entry)
    return found


def _at(document: JsonObject, place: tuple[str, ...]) -> JsonObject | None:
    value: object = document
    for key in place:
        value = value.get(key) if isinstance(value, dict) else None
    entries = value if isinstance(value, dict) else {}
    return entries if any(isinstance(entry, dict) for entry in entries.values()) else None


def _take(found: Found, name: str, entry: object) -> None:
    if not isinstance(entry, dict) or not ({"command", "url", "serverUrl", "httpUrl"} & set(entry)):
        found.skipped[name] = "it has neither `command` nor `url`"
    elif is_ours(entry):
        found.skipped[name] = "it is toolrouter itself"
    else:
        alias = usable_alias(name, found.servers)
        found.servers[alias] = entry
        if alias != name:
            found.renamed[name] = alias


def usable_alias(name: str, taken: JsonObject) -> str:
    """`name` as letters, digits, `.`, `_` and `-`, made unique among `taken`."""
    base = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-._")[:60] or "server"
    alias, number = base, 1
    while alias in taken:
        number += 1
        alias = f"{base}-{number}"
    return alias


def is_ours(entry: JsonObject) -> bool:
    """Whether the entry starts toolrouter. A router that starts itself would never end."""
    command, args = str(entry.get("command", "")), [str(word) for word in entry.get("args") or ()]
    return _is_our_name(command) or ("serve" in args and any(map(_is_our_name, args)))


def _is_our_name(word: str) -> bool:
    return PureWindowsPath(word.replace("/", "\\")).stem.lower() == _OURS

"""Says what is wrong with a config in the words of the file, not of the validation library."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from toolrouter.config import Settings, UpstreamSpec

_SECRET_PARTS = frozenset({"env", "headers", "api_key", "token"})
_WORDS = {"a valid integer": "an integer", "a valid dictionary": "an object", "tuple": "list", "valid ": ""}


@dataclass(frozen=True, slots=True)
class Fault:
    keys: tuple[str | int, ...]
    message: str


def explain(error: ValidationError, servers_key: str) -> list[Fault]:
    """One fault per mistake; `servers_key` is how this file calls `mcpServers`."""
    return [_fault(detail, servers_key) for detail in error.errors(include_url=False)]


def _fault(detail: ErrorDetails, servers_key: str) -> Fault:
    keys: tuple[str | int, ...] = detail["loc"]
    is_alias = keys[-1:] == ("[key]",)
    if is_alias:
        keys = keys[:-1]
    named = ((servers_key if keys[0] == "mcpServers" else keys[0]), *keys[1:]) if keys else ()
    dotted = ".".join(str(key) for key in named)
    if is_alias:
        return Fault(named, f"{dotted}: {_alias_fault(str(keys[-1]))}")
    return Fault(named, f"{dotted} {_message(detail, keys)}")


def _alias_fault(alias: str) -> str:
    usable = re.sub(r"[^A-Za-z0-9_.-]+", "-", alias).strip("-._")[:64]
    hint = f" Call it `{usable}`." if usable else ""
    return (
        f"`{alias}` cannot name a server: expected letters, digits, `.`, `_` and `-`, "
        f"starting with a letter or digit, at most 64.{hint}"
    )


def _message(detail: ErrorDetails, keys: tuple[str | int, ...]) -> str:
    given = detail["input"]
    match detail["type"]:
        case "extra_forbidden":
            return f"is not a setting.{_near(str(keys[-1]), _known_names(keys[:-1]))}"
        case "value_error":
            return f"{detail['msg'].removeprefix('Value error, ')}.{_near_entry(given)}"
        case "literal_error" | "enum":
            expected = str(detail["ctx"]["expected"])
            near = _near(str(given), re.findall("'([^']*)'", expected), list_all=False)
            return f"must be {expected}, not {_shown(given, keys)}.{near}"
        case _:
            wanted = detail["msg"].removeprefix("Input should be ").split(",")[0]
            for theirs, ours in _WORDS.items():
                wanted = wanted.replace(theirs, ours)
            return f"must be {wanted}, not {_shown(given, keys)}."


def _shown(given: Any, keys: tuple[str | int, ...]) -> str:
    if given is None:
        return "null"
    if _SECRET_PARTS.intersection(str(key) for key in keys) or isinstance(given, dict | list):
        kinds: dict[type, str] = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
        return kinds.get(type(given), "a number")
    return repr(given)[:60] if not isinstance(given, bool) else str(given).lower()


def _near(given: str, known: list[str], *, list_all: bool = True) -> str:
    near = get_close_matches(given, known, 1, 0.5)
    if near:
        return f" Did you mean `{near[0]}`?"
    return f" Known here: {', '.join(known)}." if known and list_all else ""


def _near_entry(entry: Any) -> str:
    """A misspelt `command` or `url` is the usual reason for an entry that has neither."""
    if not isinstance(entry, dict):
        return ""
    pairs = ((key, get_close_matches(str(key), ("command", "url"), 1, 0.6)) for key in entry)
    known = UpstreamSpec.model_fields
    return next((f" Did you mean `{near[0]}` by `{key}`?" for key, near in pairs if near and key not in known), "")


def _known_names(keys: tuple[str | int, ...]) -> list[str]:
    """The settings that exist under `keys`."""
    kind: Any = Settings
    for key in keys:
        kind = _value_type(kind, key)
    return sorted(_field_names(kind)) if isinstance(kind, type) and issubclass(kind, BaseModel) else []


def _value_type(kind: Any, key: str | int) -> Any:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        found = [field.annotation for name, field in kind.model_fields.items() if key in (name, field.alias)]
        return found[0] if found else None
    arguments = get_args(kind)
    return arguments[-1] if arguments else None


def _field_names(kind: type[BaseModel]) -> Iterator[str]:
    for name, field in kind.model_fields.items():
        yield field.alias or name

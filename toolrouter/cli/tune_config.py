"""Changes `toolrouter.search` in a config file as text, and takes the change back."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolrouter.config import Settings
from toolrouter.errors import ConfigError
from toolrouter.settings_file import ConfigFile, parse_config, read_config, settings_of
from toolrouter.settings_file.edit import replace_file, write_config
from toolrouter.types import JsonObject

SECTION = ("toolrouter", "search")
_RECORD = "tune-undo.json"


def apply(path: Path, changes: Mapping[str, Any], home: Path) -> Path | None:
    """Writes the settings, remembers what was there, and returns the path of the backup. Raises ConfigError."""
    file = read_config(path)
    before = _section(file.document)
    text = with_search_settings(file, changes)
    settings_of(parse_config(path, text))
    backup = write_config(path, text)
    record = {
        "config": str(path.resolve()),
        "before": {key: before.get(key) for key in changes},
        "set": dict(changes),
        "read": _digest(backup) if backup else "",
        "written": _digest(path),
    }
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    (home / _RECORD).write_text(json.dumps(record, indent=2), encoding="utf-8")
    return backup


@dataclass(frozen=True, slots=True)
class Undone:
    """What `undo` did to a config."""

    config: Path
    set_back: JsonObject
    kept: JsonObject
    """What somebody has changed since `apply`, as it is now; None is what was removed."""


def undo(home: Path) -> Undone:
    """Sets what the last `apply` changed to what it was.

    A file that nobody has edited since is what it was, byte for byte. Otherwise those edits stay, also of the same
    keys, and a key that was not in the file gets its default. Raises ConfigError.
    """
    try:
        record = json.loads((home / _RECORD).read_text(encoding="utf-8"))
        path, before, written = Path(record["config"]), dict(record["before"]), dict(record["set"])
        backup, digests = path.with_name(path.name + ".bak"), (record["written"], record["read"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError("There is nothing to undo: `toolrouter tune` has changed no config.") from error
    file = read_config(path)
    now = _section(file.document)
    kept = {key: now.get(key) for key, value in written.items() if now.get(key) != value}
    defaults = Settings.model_validate({}).router.search.model_dump()
    changes = {key: defaults[key] if value is None else value for key, value in before.items() if key not in kept}
    if (_digest(path), _digest(backup)) == digests:
        replace_file(path, backup.read_bytes())
    elif changes:
        write_config(path, with_search_settings(file, changes))
    (home / _RECORD).unlink()
    return Undone(path, changes, kept)


def _digest(path: Path) -> str:
    """Return the hash of a file; of one that is not there, what no file has."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "none"


def with_search_settings(file: ConfigFile, changes: Mapping[str, Any]) -> str:
    """The text of the file with these keys of the section set; everything else stays as it was written.

    Raises:
        ConfigError: the file is written in a way that cannot be edited safely; the message says what to write.
    """
    wanted = _merged(file.document, changes)
    current = file
    for key, value in changes.items():
        text = _json_with(current, key, value) if current.node else _toml_with(current, key, value)
        current = _parsed(file, text, changes)
    if current.document != wanted:
        raise _by_hand(file, changes)
    return current.text


def _section(document: JsonObject) -> JsonObject:
    found = document.get(SECTION[0], {})
    section = found.get(SECTION[1], {}) if isinstance(found, dict) else {}
    return section if isinstance(section, dict) else {}


def _merged(document: JsonObject, changes: Mapping[str, Any]) -> JsonObject:
    router = document.get(SECTION[0], {})
    return {**document, SECTION[0]: {**router, SECTION[1]: {**_section(document), **changes}}}


def _parsed(file: ConfigFile, text: str, changes: Mapping[str, Any]) -> ConfigFile:
    try:
        return parse_config(file.path, text)
    except ConfigError as error:
        raise _by_hand(file, changes) from error


def _by_hand(file: ConfigFile, changes: Mapping[str, Any]) -> ConfigError:
    return ConfigError(
        f"{file.path} is written in a way that cannot be edited safely. Set this in `{'.'.join(SECTION)}` by hand: "
        + json.dumps(dict(changes))
    )


def _json_with(file: ConfigFile, key: str, value: Any) -> str:
    text, root = file.text, file.node
    assert root  # noqa: S101 - the caller looked
    known = root.at((*SECTION, key))
    if known:
        return text[: known.start] + json.dumps(value) + text[known.end :]
    for depth in range(len(SECTION), -1, -1):
        holder = root.at(SECTION[:depth])
        if holder:
            path = (*SECTION, key)[depth:]
            return _first_member(text, holder.start, path, value, empty=not holder.members)
    return text


def _first_member(text: str, brace: int, path: Sequence[str], value: Any, *, empty: bool) -> str:
    """Puts a member first: in front of it nothing but the brace needs to be understood."""
    nested: Any = value
    for key in reversed(path[1:]):
        nested = {key: nested}
    member = f"{json.dumps(path[0])}: {json.dumps(nested)}"
    if empty:
        return f"{text[: brace + 1]}{member}{text[brace + 1 :]}"
    gap = re.compile(r"(?:[ \t]*(?://[^\n]*)?\r?\n)?[ \t]*").match(text, brace + 1)
    at = gap.end() if gap else brace + 1
    blank = text[brace + 1 : at]
    separator = "\n" + blank.rpartition("\n")[2] if "\n" in blank else " "
    return f"{text[:at]}{member},{separator}{text[at:]}"


def _toml_with(file: ConfigFile, key: str, value: Any) -> str:
    text, line = file.text, f"{key} = {json.dumps(value)}"
    header = re.search(r"^[ \t]*\[[ \t]*toolrouter[ \t]*\.[ \t]*search[ \t]*\][^\n]*\n?", text, re.MULTILINE)
    if header is None:
        end = "" if text.endswith("\n") or not text else "\n"
        return f"{text}{end}\n[{'.'.join(SECTION)}]\n{line}\n"
    following = re.compile(r"^[ \t]*\[", re.MULTILINE).search(text, header.end())
    stop = following.start() if following else len(text)
    known = re.compile(rf"^[ \t]*{re.escape(key)}[ \t]*=[ \t]*[^\s#]+", re.MULTILINE).search(text, header.end(), stop)
    if known:
        return f"{text[: known.start()]}{line}{text[known.end() :]}"
    gap = "" if text[: header.end()].endswith("\n") else "\n"
    return f"{text[: header.end()]}{gap}{line}\n{text[header.end() :]}"

"""Edits a config as text: comments, order, indentation and unknown keys of a hand-written file survive.

Every edit is proved by parsing the new text: it must mean the old document with just that change, or it is refused.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolrouter.errors import ConfigError
from toolrouter.replacing import replace_by
from toolrouter.settings_file import jsonc
from toolrouter.settings_file.load import ConfigFile, parse_config
from toolrouter.types import JsonObject

_NOTE = re.compile(r"[ \t]*(//[^\r\n]*|/\*[^\r\n]*?\*/)")
_COMMENT_OR_COMMA = re.compile(r"//[^\n]*|/\*.*?\*/|,", re.DOTALL)
_REST_OF_LINE = re.compile(r"[ \t]*\r?\n")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_TABLE = re.compile(r"(?:^[ \t]*#[^\n]*\n)*^[ \t]*\[", re.MULTILINE)
"""A table's header, with the comment lines directly above it."""


def with_servers(file: ConfigFile, added: Mapping[str, JsonObject]) -> str:
    """The text with these servers added, or replaced where the name is taken. Raises ConfigError."""
    wanted = {**file.document, file.servers_key: {**file.document.get(file.servers_key, {}), **added}}
    text = file.text
    for alias, entry in added.items():
        current = parse_config(file.path, text)
        text = _json_with(current, alias, entry) if current.node else _toml_with(current, alias, entry)
    return _proved(file, text, wanted, _paste(file, added))


def with_options(file: ConfigFile, options: Mapping[str, JsonObject]) -> str:
    """The text with more settings of servers, none of which it has yet, in `toolrouter.servers`. Raises ConfigError."""
    section = file.document.get("toolrouter", {})
    before = section.get("servers", {})
    after = {alias: {**before.get(alias, {}), **more} for alias, more in options.items()}
    wanted = {**file.document, "toolrouter": {**section, "servers": {**before, **after}}}
    text = file.text
    for alias, more in options.items():
        for key, value in more.items():
            current = parse_config(file.path, text)
            text = (
                _json_option(current, alias, key, value) if current.node else _toml_option(current, alias, key, value)
            )
    by_hand = "set this under `toolrouter.servers` by hand:\n" + json.dumps(options, indent=2, ensure_ascii=False)
    return _proved(file, text, wanted, by_hand)


def without_server(file: ConfigFile, alias: str) -> str:
    """The text without this server. Raises ConfigError."""
    kept = {name: entry for name, entry in file.document[file.servers_key].items() if name != alias}
    text = _json_without(file, alias) if file.node else _toml_without(file, alias)
    wanted = {**file.document, file.servers_key: kept}
    return _proved(file, text, wanted, f"remove the server `{alias}` by hand.")


def write_config(path: Path, text: str) -> Path | None:
    """Replaces the file in one step and keeps what was there beside it, as `NAME.bak`; returns the backup's path.

    A link stays a link. A new file is readable by its owner only: configs hold tokens. Raises ConfigError.
    """
    path = path.resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        backup = path.with_name(path.name + ".bak") if path.exists() else None
        if backup:
            shutil.copy2(path, backup)
        replace_file(path, text.encode())
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}. Nothing was changed.") from error
    return backup


def replace_file(path: Path, data: bytes) -> None:
    """Writes the file in one step: whoever reads it sees the old bytes or the new ones. Its rights stay."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, draft)
        replace_by(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _proved(file: ConfigFile, text: str, wanted: JsonObject, otherwise: str) -> str:
    try:
        document = parse_config(file.path, text).document
    except ConfigError:
        document = {}
    # In TOML the table over the servers is gone with the last of them.
    if {file.servers_key: {}, **document} != {file.servers_key: {}, **wanted}:
        raise ConfigError(f"{file.path} is written in a way that cannot be edited safely; {otherwise}")
    return text


def _paste(file: ConfigFile, added: Mapping[str, JsonObject]) -> str:
    if file.node is None:
        return "add this by hand:\n" + "\n".join(toml_table(file.servers_key, *each) for each in added.items())
    return f"add this to `{file.servers_key}` by hand:\n" + json.dumps(added, indent=2, ensure_ascii=False)


def _json_with(file: ConfigFile, alias: str, entry: JsonObject) -> str:
    assert file.node  # noqa: S101 - the caller looked
    servers = file.node.member(file.servers_key)
    if servers is None:
        return with_member(file.text, file.node, file.servers_key, {alias: entry})
    taken = servers.node.member(alias)
    if taken is None:
        return with_member(file.text, servers.node, alias, entry)
    indent = indent_at(file.text, taken.start)
    rendered = json_text(entry, indent, indent_unit(file.text), newline_of(file.text))
    return file.text[: taken.node.start] + rendered + file.text[taken.node.end :]


def _json_option(file: ConfigFile, alias: str, key: str, value: Any) -> str:
    assert file.node  # noqa: S101 - the caller looked
    keys = ("toolrouter", "servers", alias, key)
    depth = next(depth for depth in (3, 2, 1, 0) if depth == 0 or file.node.at(keys[:depth]))
    node = file.node.at(keys[:depth]) if depth else file.node
    assert node  # noqa: S101 - just found
    for name in reversed(keys[depth + 1 :]):
        value = {name: value}
    return with_member(file.text, node, keys[depth], value)


def with_member(text: str, node: jsonc.Node, key: str, value: Any) -> str:
    """`text` with a member added at the end of the object `node`."""
    newline, unit = newline_of(text), indent_unit(text)
    outer = indent_at(text, node.start)
    inner = indent_at(text, node.members[-1].start) if node.members else outer + unit
    if len(inner) <= len(outer):
        inner = outer + unit
    member = f"{newline}{inner}{json.dumps(key, ensure_ascii=False)}: {json_text(value, inner, unit, newline)}"
    if not node.members:
        return f"{text[: node.start + 1]}{member}{_tail(text, node, node.start + 1, newline + outer)}"
    last = node.members[-1].node.end
    comma = _comma_after(text, last, node.end)
    if comma is not None:
        head, rest = text[: comma + 1], comma + 1
    else:
        head, rest = text[:last] + ",", last
    note = _note_length(text, rest)
    return f"{head}{text[rest : rest + note]}{member}{_tail(text, node, rest + note, newline + outer)}"


def _tail(text: str, node: jsonc.Node, at: int, closing: str) -> str:
    """What follows the inserted member: comments that stood there, then the closing brace on a line of its own."""
    between = text[at : node.end - 1].rstrip(" \t\r\n")
    return f"{between}{closing}{text[node.end - 1 :]}"


def _note_length(text: str, at: int) -> int:
    """A comment on the same line belongs to the member before it."""
    found = _NOTE.match(text, at)
    return found.end() - at if found else 0


def _comma_after(text: str, at: int, end: int) -> int | None:
    """Where the trailing comma behind the last value stands, if there is one."""
    for found in _COMMENT_OR_COMMA.finditer(text, at, end):
        if found[0] == ",":
            return found.start()
    return None


def _json_without(file: ConfigFile, alias: str) -> str:
    """Cuts the member with its comma; where it has lines of its own, these, with the comment behind it."""
    node, text = file.node.at((file.servers_key,)) if file.node else None, file.text
    assert node  # noqa: S101 - the caller looked
    position = [member.key for member in node.members].index(alias)
    member, following = node.members[position], node.members[position + 1 : position + 2]
    comma = _comma_after(text, member.node.end, following[0].start if following else node.end - 1)
    start, end = member.start, member.node.end if comma is None else comma + 1
    line = text.rfind("\n", 0, start) + 1
    rest = _REST_OF_LINE.match(text, end + _note_length(text, end))
    if rest and not text[line:start].strip():
        start, end = line, rest.end()
    before = text[:start]
    if comma is None and position:
        # The member before it is the last one now.
        stray = _comma_after(text, node.members[position - 1].node.end, start)
        before = before if stray is None else before[:stray] + before[stray + 1 :]
    return before + text[end:]


def indent_at(text: str, at: int) -> str:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def indent_unit(text: str) -> str:
    """What this file indents by."""
    found = re.search(r"\n([ \t]+)\S", text)
    return found[1] if found else "  "


def newline_of(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def json_text(value: Any, indent: str, unit: str, newline: str) -> str:
    """`value` as JSON that starts in a line indented by `indent`."""
    return json.dumps(value, indent=unit, ensure_ascii=False).replace("\n", newline + indent)


def _toml_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def _toml_value(value: Any) -> str:
    if isinstance(value, dict):
        pairs = ", ".join(f"{_toml_key(key)} = {_toml_value(each)}" for key, each in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list):
        return f"[{', '.join(_toml_value(each) for each in value)}]"
    # JSON's strings, numbers and booleans are TOML's, but for one character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_table(servers_key: str, alias: str, entry: JsonObject) -> str:
    """The lines of a server's own table."""
    lines = (f"{_toml_key(key)} = {_toml_value(value)}" for key, value in entry.items() if value is not None)
    return "\n".join((f"[{servers_key}.{_toml_key(alias)}]", *lines)) + "\n"


def _toml_with(file: ConfigFile, alias: str, entry: JsonObject) -> str:
    text = file.text
    if alias in file.document.get(file.servers_key, {}):
        text = _toml_without(file, alias)
    newline = newline_of(text)
    gap = "" if not text.strip() else newline if text.endswith("\n") else newline * 2
    return text + gap + toml_table(file.servers_key, alias, entry).replace("\n", newline)


def _toml_option(file: ConfigFile, alias: str, key: str, value: Any) -> str:
    text, newline = file.text, newline_of(file.text)
    line = f"{key} = {_toml_value(value)}{newline}"
    name = rf"(?:{re.escape(alias)}|\"{re.escape(alias)}\"|'{re.escape(alias)}')"
    header = rf"^[ \t]*\[[ \t]*toolrouter[ \t]*\.[ \t]*servers[ \t]*\.[ \t]*{name}[ \t]*\][^\n]*\n"
    if found := re.search(header, text, re.MULTILINE):
        return text[: found.end()] + line + text[found.end() :]
    gap = "" if not text.strip() else newline if text.endswith("\n") else newline * 2
    return text + gap + f"[toolrouter.servers.{_toml_key(alias)}]{newline}{line}"


def _toml_without(file: ConfigFile, alias: str) -> str:
    """Cuts the server's own table and the tables under it, each from its header to the next one."""
    name = rf"(?:{re.escape(alias)}|\"{re.escape(alias)}\"|'{re.escape(alias)}')"
    own = re.compile(rf"^[ \t]*\[[ \t]*{re.escape(file.servers_key)}[ \t]*\.[ \t]*{name}[ \t]*[\].]", re.MULTILINE)
    text = file.text
    while found := own.search(text):
        following = _TABLE.search(text, found.end())
        text = text[: found.start()] + (text[following.start() :] if following else "")
    return text

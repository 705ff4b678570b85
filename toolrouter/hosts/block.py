"""The servers in a host's file, and the file's text with others in their place: nothing around them moves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from toolrouter.errors import ConfigError
from toolrouter.hosts.places import Host
from toolrouter.settings_file import ConfigFile, jsonc, parse_config
from toolrouter.settings_file.edit import (
    indent_at,
    indent_unit,
    json_text,
    newline_of,
    toml_table,
    with_member,
    without_server,
)
from toolrouter.types import JsonObject


@dataclass(frozen=True, slots=True)
class HostFile:
    """A host's config file as it stands on disk, or is about to."""

    host: Host
    path: Path
    data: bytes | None
    """None where there is no file yet."""
    file: ConfigFile

    @property
    def servers(self) -> JsonObject:
        found = _at(self.file.document, self.keys)
        return found if isinstance(found, dict) else {}

    @property
    def keys(self) -> tuple[str, ...]:
        """Where the servers stand. Version 2 of opencode has them one level deeper, if the file is written for it."""
        deeper = (self.host.key, "servers")
        inner = _at(self.file.document, deeper) if self.host.style == "opencode" else None
        return deeper if isinstance(inner, dict) and not {"command", "url"} & set(inner) else (self.host.key,)


def _at(document: object, keys: tuple[str, ...]) -> object:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _with(document: JsonObject, keys: tuple[str, ...], value: object) -> JsonObject:
    """The document with `value` at `keys`, all above it made where it is missing."""
    inner = document.get(keys[0])
    deeper = _with(inner if isinstance(inner, dict) else {}, keys[1:], value) if keys[1:] else value
    return {**document, keys[0]: deeper}


def read_host_file(host: Host, path: Path) -> HostFile:
    """Raises ConfigError when it is there and cannot be read."""
    try:
        data = path.read_bytes() if path.exists() else None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}.") from error
    return parse_host_file(host, path, data)


def parse_host_file(host: Host, path: Path, data: bytes | None) -> HostFile:
    """Raises ConfigError."""
    try:
        text = (data or b"").decode()
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not UTF-8 text (byte {error.start}); {host.title}'s file is left alone."
        ) from error
    if not text.strip("\ufeff \t\r\n") and path.suffix != ".toml":
        text = "{}\n"
    file = parse_config(path, text)
    found = file.document.get(host.key)
    if found is not None and not isinstance(found, dict):
        raise ConfigError(f"{file.place(host.key)}: `{host.key}` is no object; {host.title}'s file is left alone.")
    return HostFile(host, path, data, file)


def with_block(current: HostFile, wanted: JsonObject) -> str:
    """The text with `wanted` as its servers. Those that stay keep their own text. Raises ConfigError."""
    file, keys = current.file, current.keys
    if wanted == current.servers and current.data is not None:
        return file.text
    text = _in_json(current, wanted) if file.node else _in_toml(current, wanted)
    try:
        document = parse_config(file.path, text).document
    except ConfigError:
        document = {}
    if _with(document, keys, _at(document, keys) or {}) != _with(file.document, keys, wanted):
        raise ConfigError(
            f"{file.path} is written in a way that cannot be edited safely. Set `{'.'.join(keys)}` to this by hand:\n"
            + json.dumps(wanted, indent=2, ensure_ascii=False)
        )
    return text


def _in_json(current: HostFile, wanted: JsonObject) -> str:
    text, root = current.file.text, current.file.node
    assert root  # noqa: S101 - the caller looked
    block = root.at(current.keys)
    if block is None:
        return with_member(text, root, current.host.key, wanted)
    return text[: block.start] + _object(text, block, wanted) + text[block.end :]


def _object(text: str, node: jsonc.Node, wanted: JsonObject) -> str:
    if not wanted:
        return "{}"
    newline, unit, outer = newline_of(text), indent_unit(text), indent_at(text, node.start)
    inner = indent_at(text, node.members[0].start) if node.members else ""
    if len(inner) <= len(outer):
        inner = outer + unit
    members = (_member(text, node, (name, value), (inner, unit, newline)) for name, value in wanted.items())
    return "{" + newline + inner + f",{newline}{inner}".join(members) + newline + outer + "}"


def _member(text: str, node: jsonc.Node, item: tuple[str, object], form: tuple[str, str, str]) -> str:
    name, value = item
    present = node.member(name)
    if present is not None and present.node.value == value:
        return text[present.start : present.node.end]
    return f"{json.dumps(name, ensure_ascii=False)}: {json_text(value, *form)}"


def _in_toml(current: HostFile, wanted: JsonObject) -> str:
    file, servers = current.file, current.servers
    for name, entry in servers.items():
        if wanted.get(name) != entry:
            file = parse_config(file.path, without_server(file, name))
    text, newline = file.text, newline_of(current.file.text)
    for name, entry in wanted.items():
        if servers.get(name) != entry:
            gap = "" if not text.strip() else newline if text.endswith("\n") else newline * 2
            text += gap + toml_table(current.host.key, name, entry).replace("\n", newline)
    return text

"""Servers as hosts write them, as toolrouter writes them, and when two are the same."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from toolrouter.config import UpstreamSpec
from toolrouter.hosts.places import Host
from toolrouter.hosts.reading import is_ours
from toolrouter.settings_file.references import without_secrets
from toolrouter.types import JsonObject

_ONLY_THE_HOST_KNOWS = re.compile(
    r"\$\{(?:input:|command:|config:|workspaceFolder|workspaceRoot|userHome|file|relativeFile|pathSeparator|/\})"
)
_BARE_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)", re.ASCII)
_OPENCODE_VARIABLE = re.compile(r"\{env:([A-Za-z_]\w*)\}", re.ASCII)
_VARIABLE_WITHIN = re.compile(r"\$([A-Z_][A-Z0-9_]*)", re.ASCII)
_ONLY_THE_HOST_HAS = {
    "envFile": "it reads its variables from a file",
    "headersHelper": "a program makes its headers",
    "authProviderType": "the host logs in to it by a way of its own",
}
_FILTERS = ("includeTools", "excludeTools", "enabled_tools", "disabled_tools", "disabledTools", "enabledTools")
"""Lists of tools, which become settings of ours: see `filters`."""


@dataclass(frozen=True, slots=True)
class HostServers:
    """What one host's block holds."""

    taken: dict[str, JsonObject] = field(default_factory=dict)
    """By the host's name: entries in our form, which can move."""
    left: dict[str, str] = field(default_factory=dict)
    """By the host's name: why it has to stay where it is."""
    ours: tuple[str, ...] = ()
    """Names of entries that are toolrouter itself."""


def servers_of(host: Host, block: JsonObject) -> HostServers:
    """Sorts the entries of a host's block."""
    taken: dict[str, JsonObject] = {}
    left: dict[str, str] = {}
    ours: list[str] = []
    for name, entry in block.items():
        if isinstance(entry, dict) and is_ours(_in_our_form(host, entry)):
            ours.append(name)
            continue
        found = _movable(host, entry)
        if isinstance(found, str):
            left[name] = found
            continue
        taken[name] = found
    return HostServers(taken, left, tuple(ours))


def _movable(host: Host, entry: object) -> JsonObject | str:
    if not isinstance(entry, dict):
        return "it is no object"
    if key := next((key for key in _ONLY_THE_HOST_HAS if entry.get(key)), ""):
        return f"{_ONLY_THE_HOST_HAS[key]} (`{key}`)"
    ours = _in_our_form(host, entry)
    if not {"command", "url", "serverUrl", "httpUrl"} & set(ours):
        return "it has neither `command` nor `url`"
    if found := _ONLY_THE_HOST_KNOWS.search(json.dumps(ours)):
        return f"it uses {found[0]}…}}, which only {host.title} knows"
    try:
        spec = UpstreamSpec.model_validate(ours)
    except ValidationError as error:
        return f"it cannot be read: {error.errors()[0]['msg']}"
    if spec.url is not None and not spec.url.lower().startswith(("http://", "https://", "${")):
        return f"toolrouter reaches no server at {spec.url.partition(':')[0]}:, only at http: and https:"
    return ours


def _in_our_form(host: Host, entry: JsonObject) -> JsonObject:
    ours = {key: value for key, value in entry.items() if key not in ("source", "tools", *_FILTERS)}
    command = ours.get("command")
    if isinstance(command, dict):  # older versions of Zed
        ours |= {"command": command.get("path"), "args": command.get("args") or [], "env": command.get("env") or {}}
    elif isinstance(command, list) and command:
        ours |= {"command": command[0], "args": command[1:]}
    if "environment" in ours:
        ours["env"] = ours.pop("environment")
    if ours.pop("enabled", True) is False:
        ours["disabled"] = True
    if ours.get("type") in ("local", "remote", "stdio"):
        ours.pop("type")
    _codex_variables(ours)
    _codex_headers(ours)
    return {key: _references(host, value) for key, value in ours.items() if value is not None}


def _codex_variables(ours: JsonObject) -> None:
    """`env_vars`: names of variables that are passed on, or objects with a name."""
    passed = (each.get("name") if isinstance(each, dict) else each for each in ours.pop("env_vars", None) or ())
    if names := [name for name in passed if isinstance(name, str)]:
        ours["env"] = {**{name: f"${{{name}}}" for name in names}, **(ours.get("env") or {})}


def _codex_headers(ours: JsonObject) -> None:
    headers = {**ours.pop("http_headers", {}), **(ours.get("headers") or {})}
    headers |= {name: f"${{{variable}}}" for name, variable in ours.pop("env_http_headers", {}).items()}
    if variable := ours.pop("bearer_token_env_var", None):
        headers["Authorization"] = f"Bearer ${{{variable}}}"
    if headers:
        ours["headers"] = headers


def _references(host: Host, value: Any) -> Any:
    """`value` with this host's own way to name environment variables written in ours."""
    if isinstance(value, dict):
        return {key: _references(host, each) for key, each in value.items()}
    if isinstance(value, list):
        return [_references(host, each) for each in value]
    if not isinstance(value, str):
        return value
    if host.style == "opencode":
        return _OPENCODE_VARIABLE.sub(r"${\1}", value)
    if host.id == "gemini-cli" and (found := _BARE_VARIABLE.fullmatch(value)):
        return f"${{{found[1]}}}"
    if host.id == "gemini-cli":  # within a text, what is not set stays as it is written
        return _VARIABLE_WITHIN.sub(r"${\1:-$\1}", value)
    return value


def same_server(one: JsonObject, other: JsonObject) -> bool:
    """Whether both start or reach the same thing in the same way, wherever their secrets stand."""
    return _essence(one) == _essence(other)


def _essence(entry: JsonObject) -> object:
    try:
        spec = UpstreamSpec.model_validate(_plain(entry))
    except ValidationError:
        return entry
    headers = {name.lower(): value for name, value in spec.headers.items()}
    kind = "sse" if spec.type == "sse" else ""
    return (spec.command, spec.args, spec.env, spec.cwd, spec.url, headers, kind, spec.disabled)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return without_secrets(value) if isinstance(value, str) else value


def our_entry(host: Host, words: Sequence[str], env: dict[str, str]) -> JsonObject:
    """The entry that starts toolrouter, as this host writes entries."""
    if host.style == "opencode":
        entry: JsonObject = {"type": "local", "command": list(words)}
        return {**entry, **({"environment": env} if env else {})}
    entry = {"command": words[0], "args": list(words[1:]), **host.extra}
    if "type" in entry:
        entry = {"type": entry["type"], **entry}
    return {**entry, **({"env": env} if env else {})}

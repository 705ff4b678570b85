"""Finds the config file, reads it, and says precisely what is wrong with it.

JSON (comments and trailing commas tolerated) or TOML of the same shape; `${NAME}` and `${NAME:-default}` are read
from the environment, `${keyring:service/name}` from the platform's keyring. One server with an unset variable or a
missing secret does not stop the others: its spec carries the reason.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from toolrouter.config import Settings
from toolrouter.errors import ConfigError
from toolrouter.places import candidate_paths, config_path, home_path
from toolrouter.settings_file import jsonc
from toolrouter.settings_file.faults import explain
from toolrouter.settings_file.references import Missing, expand, secrets_in
from toolrouter.types import JsonObject

SERVER_KEYS = ("mcpServers", "servers", "mcp_servers")
"""The key over the servers: Claude Desktop's, VS Code's, Codex's. The first is what we write."""
_ROOT_KEYS = (*SERVER_KEYS, "toolrouter", "$schema")
_EXPANDED = frozenset({"command", "args", "env", "cwd", "url", "serverUrl", "httpUrl", "headers"})
_EXPANDED_OF_OURS = frozenset({"embedder", "reranker", "http"})
_LARGEST = 8 * 2**20


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A config file as it stands on disk, syntax checked, meaning not."""

    path: Path
    text: str
    document: JsonObject
    node: jsonc.Node | None
    """Where everything stands; None for TOML."""

    @property
    def servers_key(self) -> str:
        return next((key for key in SERVER_KEYS if key in self.document), SERVER_KEYS[0])

    def place(self, *keys: str | int) -> str:
        """The file, and the line where the value under `keys` stands (or the nearest thing above it)."""
        node = self.node
        for depth in range(len(keys), 0, -1):
            found = node.at(keys[:depth]) if node else None
            if found:
                return f"{self.path}, line {jsonc.line_and_column(self.text, found.start)[0]}"
        return str(self.path)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings ready for use, and where they came from."""

    settings: Settings
    path: Path
    warnings: tuple[str, ...] = ()
    secrets: frozenset[str] = frozenset()
    """What must never stand in a log or a message."""
    text: str = field(default="", repr=False)
    """The file as it was read."""


def home_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where state lives: `TOOLROUTER_HOME`, else the platform's state folder. Not created here."""
    return Path(home_path(environ))


def candidates(environ: Mapping[str, str] = os.environ) -> list[Path]:
    """Where a config is looked for when none is named, in this order."""
    return [Path(path) for path in candidate_paths(environ)]


def find_config(chosen: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """The config to use. Raises ConfigError when there is none."""
    return Path(config_path(None if chosen is None else str(chosen), environ))


def read_config(path: Path) -> ConfigFile:
    """Reads and parses, keeping line ends and byte-order mark. Raises ConfigError."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ConfigError(f"{path} is larger than {_LARGEST // 2**20} MiB; this is not a config.")
        with path.open(encoding="utf-8", newline="") as file:
            text = file.read()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8.") from error
    return parse_config(path, text)


def parse_config(path: Path, text: str) -> ConfigFile:
    """Raises ConfigError that names line and column."""
    if path.suffix == ".toml":
        try:
            document = tomllib.loads(text.removeprefix("\ufeff").replace("\r\n", "\n"))
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path}: {error}.") from error
        return ConfigFile(path, text, document, None)
    try:
        node = jsonc.parse(text)
    except jsonc.SyntaxFault as fault:
        raise ConfigError(f"{path}, line {fault.line}, column {fault.column}: {fault}.") from fault
    if not isinstance(node.value, dict):
        raise ConfigError(f'{path}: expected an object, as in {{"mcpServers": {{…}}}}.')
    return ConfigFile(path, text, node.value, node)


def load_settings(chosen: Path | None = None, environ: Mapping[str, str] = os.environ) -> Loaded:
    """Finds, reads and checks the config. Raises ConfigError."""
    return settings_of(read_config(find_config(chosen, environ)), environ)


def settings_of(file: ConfigFile, environ: Mapping[str, str] = os.environ) -> Loaded:
    """Raises ConfigError that names every key that is wrong, what was expected, and a near match."""
    _check_root(file)
    servers = file.document.get(file.servers_key, {})
    if isinstance(servers, dict):
        servers = _expanded_servers(servers, environ, file.servers_key)
    section = _expanded_section(file, environ)
    try:
        settings = Settings.model_validate({"mcpServers": servers, "toolrouter": section})
    except ValidationError as error:
        faults = explain(error, file.servers_key)
        lines = "\n".join(f"{file.place(*fault.keys)}: {fault.message}" for fault in faults)
        raise ConfigError(lines) from error
    secrets = secret_values(settings) | frozenset(secrets_in(file.document, environ))
    return Loaded(settings, file.path, tuple(_warnings(settings, file.servers_key)), secrets, file.text)


def _check_root(file: ConfigFile) -> None:
    present = [key for key in SERVER_KEYS if key in file.document]
    if len(present) > 1:
        raise ConfigError(f"{file.place(present[1])}: `{present[0]}` and `{present[1]}` both hold servers; keep one.")
    lowered = {key.lower(): key for key in _ROOT_KEYS}
    for key, value in file.document.items():
        if key in _ROOT_KEYS:
            continue
        near = get_close_matches(key.lower(), lowered, 1, 0.75)
        if near:
            raise ConfigError(f"{file.place(key)}: `{key}` is not a key. Did you mean `{lowered[near[0]]}`?")
        if isinstance(value, dict) and ("command" in value or "url" in value):
            raise ConfigError(f"{file.place(key)}: the server `{key}` stands outside of `mcpServers`; move it inside.")


def _expanded_servers(servers: JsonObject, environ: Mapping[str, str], servers_key: str) -> JsonObject:
    return {
        alias: _expanded_entry(entry, environ, f"{servers_key}.{alias}") if isinstance(entry, dict) else entry
        for alias, entry in servers.items()
    }


def _expanded_entry(entry: JsonObject, environ: Mapping[str, str], at: str) -> JsonObject:
    missing: list[Missing] = []
    done = {
        key: expand(value, environ, f"{at}.{key}", missing) if key in _EXPANDED else value
        for key, value in entry.items()
        if key != "unusable"
    }
    if missing:
        done["unusable"] = "; ".join(str(each) for each in missing) + "."
    return done


def _expanded_section(file: ConfigFile, environ: Mapping[str, str]) -> Any:
    section = file.document.get("toolrouter", {})
    if not isinstance(section, dict):
        return section
    missing: list[Missing] = []
    done = {
        key: expand(value, environ, f"toolrouter.{key}", missing) if key in _EXPANDED_OF_OURS else value
        for key, value in section.items()
    }
    if missing:
        raise ConfigError("\n".join(f"{file.place(*each.keys)}: {each}." for each in missing))
    return done


def _warnings(settings: Settings, servers_key: str) -> Iterator[str]:
    for alias in settings.router.servers:
        if alias not in settings.servers:
            near = get_close_matches(alias, settings.servers, 1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            yield f"toolrouter.servers.{alias}: there is no such server in `{servers_key}`.{hint}"
    for alias, spec in settings.servers.items():
        for key in spec.model_extra or {}:
            near = get_close_matches(key, type(spec).model_fields, 1, 0.8)
            if near:
                yield f"{servers_key}.{alias}.{key} is ignored. Did you mean `{near[0]}`?"


def secret_values(settings: Settings) -> frozenset[str]:
    """Values of env and headers, with and without their scheme, keys, tokens."""
    values = {value for spec in settings.servers.values() for value in (*spec.env.values(), *spec.headers.values())}
    bare = {value.split(" ", 1)[1] for value in values if value.lower().startswith(("bearer ", "basic ", "token "))}
    return frozenset(values | bare | {settings.router.embedder.api_key, settings.router.http.token}) - {""}

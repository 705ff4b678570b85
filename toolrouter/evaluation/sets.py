"""Evaluation sets: the tools to search, and queries with the tools that serve them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolrouter.errors import ConfigError
from toolrouter.types import JsonObject, Server, Tool, ToolId


@dataclass(frozen=True, slots=True)
class Query:
    """One query and its qrels."""

    id: str
    text: str
    relevant: tuple[str, ...]
    """Gold tool ids; empty when no tool serves the query."""
    alt: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Gold id to its twins: tools that do the same job as well."""
    subqueries: tuple[str, ...] = ()
    """What an agent would ask instead, step by step."""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class EvalSet:
    """Tools and queries that belong together."""

    name: str
    tools: tuple[Tool, ...]
    queries: tuple[Query, ...]
    warnings: tuple[str, ...] = ()
    known_servers: Mapping[str, Server] = field(default_factory=dict, repr=False)
    """What is known of servers beyond their names."""

    @property
    def servers(self) -> dict[str, Server]:
        aliases = sorted({tool.server for tool in self.tools})
        return {alias: self.known_servers.get(alias, Server(alias=alias)) for alias in aliases}

    @property
    def server_of(self) -> dict[str, str]:
        return {tool.id: tool.server for tool in self.tools}


def read_set(tools: Path, queries: Path, *, name: str = "") -> EvalSet:
    """Reads both files.

    Gold ids without a tool are kept, since a run cannot find them and has to pay for it; `warnings` tells.

    Raises:
        ConfigError: a file or a line cannot be used; the message names both.
    """
    found = read_tools(tools)
    asked = read_queries(queries)
    warnings = []
    if missing := unknown_gold((tool.id for tool in found), asked):
        many = "1 gold id is" if len(missing) == 1 else f"{len(missing)} gold ids are"
        warnings.append(f"{many} in no row of {tools}, counted as missed{_such_as(missing)}")
    if idle := [query.id for query in asked if not query.alt.keys() <= set(query.relevant)]:
        many = "1 query has" if len(idle) == 1 else f"{len(idle)} queries have"
        warnings.append(f"{many} twins of what is not among its `relevant`{_such_as(idle)}")
    return EvalSet(name or tools.resolve().parent.name, found, asked, tuple(f"{queries}: {text}" for text in warnings))


def _such_as(ids: Sequence[str]) -> str:
    return f": {ids[0]}" if len(ids) == 1 else f", such as {ids[0]}"


def unknown_gold(tool_ids: Iterator[ToolId] | Sequence[ToolId], queries: Sequence[Query]) -> list[str]:
    """Gold ids that no tool carries."""
    known = frozenset[str](tool_ids)
    return sorted({gold for query in queries for gold in query.relevant} - known)


def read_tools(path: Path) -> tuple[Tool, ...]:
    """Reads `{"id", "server", "name", "description", "input_schema"}` rows; ids are arbitrary strings.

    Tokens are left at 0: counting those of ten thousand definitions takes longer than searching them.
    """
    found: dict[ToolId, Tool] = {}
    for line, row in _rows(path):
        tool = _tool(row, _Place(path, line))
        if tool.id in found:
            raise ConfigError(f"{path}:{line}: a second tool has the id {tool.id!r}; ids must be unique")
        found[tool.id] = tool
    if not found:
        raise ConfigError(f"{path}: holds no tools; expected one JSON object per line")
    return tuple(found.values())


def read_queries(path: Path) -> tuple[Query, ...]:
    """Reads `{"id", "query", "relevant"}` rows, with `alt`, `subqueries` and `kind` where known."""
    found: dict[str, Query] = {}
    for line, row in _rows(path):
        query = _query(row, _Place(path, line))
        if query.id in found:
            raise ConfigError(f"{path}:{line}: a second query has the id {query.id!r}; ids must be unique")
        found[query.id] = query
    if not found:
        raise ConfigError(f"{path}: holds no queries; expected one JSON object per line")
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class _Place:
    path: Path
    line: int

    def text(self, row: JsonObject, key: str, default: str | None = None) -> str:
        value = row.get(key)
        if value is None and default is not None:
            return default
        return value if isinstance(value, str) else self.wrong(key, "a string", value)

    def texts(self, row: JsonObject, key: str) -> tuple[str, ...]:
        return self.strings(key, row.get(key) or [])

    def strings(self, key: str, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            self.wrong(key, "a list of strings", value)
        return tuple(dict.fromkeys(value))

    def wrong(self, key: str, expected: str, value: Any) -> Any:
        shown = "nothing" if value is None else json.dumps(value)[:60]
        raise ConfigError(f"{self.path}:{self.line}: `{key}` must be {expected}, and is {shown}")


def _tool(row: JsonObject, at: _Place) -> Tool:
    schema = row.get("input_schema", row.get("inputSchema"))
    if schema is not None and not isinstance(schema, dict):
        at.wrong("input_schema", "an object or null", schema)
    name = at.text(row, "name")
    raw: JsonObject = {"name": name, "description": at.text(row, "description", "")}
    raw |= {"inputSchema": schema} if schema is not None else {}
    raw |= {"title": row["title"]} if isinstance(row.get("title"), str) else {}
    digest = hashlib.sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest()
    return Tool(ToolId(at.text(row, "id")), at.text(row, "server", ""), name, raw, digest, 0)


def _query(row: JsonObject, at: _Place) -> Query:
    if "relevant" not in row:
        at.wrong("relevant", "a list of tool ids (empty when no tool fits)", None)
    alt = row.get("alt") or {}
    if not isinstance(alt, dict):
        at.wrong("alt", "an object of gold id to twins", alt)
    return Query(
        at.text(row, "id"),
        at.text(row, "query"),
        at.texts(row, "relevant"),
        {gold: at.strings("alt", twins) for gold, twins in alt.items() if twins},
        at.texts(row, "subqueries"),
        at.text(row, "kind", ""),
    )


def _rows(path: Path) -> Iterator[tuple[int, JsonObject]]:
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, text in enumerate(lines, 1):
                if text.strip():
                    yield number, _object(text, path, number)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text: {error.reason} at byte {error.start}") from error


def _object(text: str, path: Path, line: int) -> JsonObject:
    try:
        row = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}:{line}: is not JSON: {error.msg} at column {error.colno}") from error
    if not isinstance(row, dict):
        raise ConfigError(f"{path}:{line}: must be a JSON object, and is {text.strip()[:60]}")
    return row

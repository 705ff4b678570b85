"""The recorded servers that ship with toolrouter, and the queries written over them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Collection, Iterable
from pathlib import Path

from toolrouter.catalog.naming import assign_ids
from toolrouter.catalog.tokens import definition_tokens
from toolrouter.errors import ConfigError
from toolrouter.evaluation.sets import EvalSet, Query, read_queries
from toolrouter.guard.fingerprint import fingerprint
from toolrouter.types import JsonObject, Server, Tool

_DATA = Path(__file__).parent.parent / "data"
RECORDED = _DATA / "recorded"
QUERIES = _DATA / "queries" / "recorded.jsonl"


def recorded_set() -> EvalSet:
    """The queries that ship, over the servers that they were judged on: those whose tools they need.

    The other recorded servers are left out. Nobody has looked there for twins, or for a tool that serves after all.
    """
    asked = read_queries(QUERIES)
    judged = {gold.partition("/")[0] for query in asked for gold in query.relevant}
    return _assembled(RECORDED, asked, judged)


def every_recorded(folder: Path = RECORDED) -> EvalSet:
    """Every recorded server of a folder, and those queries that some tool serves and whose tools are all there.

    `folder` holds one `ALIAS.json` or `ALIAS.json.gz` per server.

    Raises:
        ConfigError: the folder holds no recorded server, or a file is none.
    """
    return _assembled(folder, [query for query in read_queries(QUERIES) if query.relevant], None)


def _assembled(folder: Path, asked: Iterable[Query], aliases: Collection[str] | None) -> EvalSet:
    """The tools under their qualified names, with their tokens."""
    servers: dict[str, Server] = {}
    tools: list[Tool] = []
    for path in sorted(folder.glob("*.json*")):
        alias = path.name.partition(".json")[0]
        if aliases is None or alias in aliases:
            recorded = _read(path)
            servers[alias] = _server(alias, recorded)
            tools += _tools(alias, recorded)
    if not tools:
        raise ConfigError(f"{folder} holds no recorded servers; expected ALIAS.json or ALIAS.json.gz with `tools`")
    by_name = {f"{tool.server}/{tool.name}": str(tool.id) for tool in tools}
    queries = tuple(query for query in (_renamed(each, by_name) for each in asked) if query)
    return EvalSet("recorded servers", tuple(tools), queries, known_servers=servers)


def _renamed(query: Query, ids: dict[str, str]) -> Query | None:
    """The query with qualified names for `alias/name`; None when a tool that it needs is not there."""
    if not all(gold in ids for gold in query.relevant):
        return None
    alt = {
        ids[gold]: tuple(ids[twin] for twin in twins if twin in ids) for gold, twins in query.alt.items() if gold in ids
    }
    return Query(query.id, query.text, tuple(ids[gold] for gold in query.relevant), alt, query.subqueries, query.kind)


def _read(path: Path) -> JsonObject:
    try:
        packed = path.read_bytes()
        recorded = json.loads(gzip.decompress(packed) if path.suffix == ".gz" else packed)
        tools = recorded["tools"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is no recorded server: {error}") from error
    if not isinstance(tools, list):
        raise ConfigError(f"{path} is no recorded server: `tools` must be a list")
    found: JsonObject = recorded
    return found


def _server(alias: str, recorded: JsonObject) -> Server:
    info = recorded.get("server_info") or {}
    return Server(
        alias=alias,
        title=str(info.get("title") or info.get("name") or ""),
        version=str(recorded.get("version") or ""),
        instructions=str(recorded.get("instructions") or ""),
        protocol_version=str(recorded.get("protocol_version") or ""),
        server_info=info,
    )


def _tools(alias: str, recorded: JsonObject) -> list[Tool]:
    definitions = {raw["name"]: raw for raw in recorded["tools"]}
    ids = assign_ids(alias, definitions)
    return [
        Tool(ids[name], alias, name, raw, fingerprint(raw), definition_tokens(raw)) for name, raw in definitions.items()
    ]

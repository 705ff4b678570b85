"""Reads the arguments of the meta-tools, forgivingly where there is no doubt about what was meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from toolrouter.errors import ToolrouterError
from toolrouter.server.finding import SECTIONS

MAX_QUERIES = 8
MAX_NAMES = 10
MAX_LIMIT = 50
MAX_QUERY_CHARS = 2_000
MAX_NAME_CHARS = 200

_SEARCH_FORM = '{"query": "what should be done"} or {"queries": ["one", "another"]}'
_NAMES_FORM = '{"names": ["server__tool"]}'
_CALL_FORM = '{"name": "server__tool", "arguments": {...}}'


class BadRequest(ToolrouterError):
    """A meta-tool was called the wrong way. The message tells the model the right one."""


class Detail(StrEnum):
    NAME = "name"
    SIGNATURE = "signature"
    SCHEMA = "schema"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    queries: tuple[str, ...]
    limit: int | None
    servers: tuple[str, ...] | None
    detail: Detail
    include: tuple[str, ...] = ()
    """What is searched beside tools: keys of `finding.SECTIONS`."""


@dataclass(frozen=True, slots=True)
class CallRequest:
    name: str
    arguments: object


def read_search(arguments: Mapping[str, Any]) -> SearchRequest:
    return SearchRequest(
        queries=_queries(arguments),
        limit=_limit(arguments.get("limit")),
        servers=_servers(arguments.get("servers")),
        detail=_detail(arguments.get("detail")),
        include=_include(arguments.get("include")),
    )


def read_names(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    names = _texts(arguments.get("names", arguments.get("name")))
    if not names:
        raise BadRequest(f"describe_tools needs tool names: {_NAMES_FORM}")
    if len(names) > MAX_NAMES:
        raise BadRequest(f"describe_tools takes at most {MAX_NAMES} names, not {len(names)}. Ask again for the others.")
    if any(len(name) > MAX_NAME_CHARS for name in names):
        raise BadRequest(f"A tool name has at most {MAX_NAME_CHARS} characters: {_NAMES_FORM}")
    return tuple(dict.fromkeys(names))


def read_call(tool: str, arguments: Mapping[str, Any]) -> CallRequest:
    name = arguments.get("name")
    if not isinstance(name, str) or not name.strip():
        raise BadRequest(f"{tool} needs the name of a tool as search_tools shows it: {_CALL_FORM}")
    if len(name) > MAX_NAME_CHARS:
        raise BadRequest(f"A tool name has at most {MAX_NAME_CHARS} characters: {_CALL_FORM}")
    strays = set(arguments) - {"name", "arguments"}
    if "arguments" not in arguments and strays:
        raise BadRequest(f"The tool's own arguments go into `arguments`: {_CALL_FORM}")
    return CallRequest(name.strip(), arguments.get("arguments"))


def _queries(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    found = _texts(arguments.get("queries")) or []
    one = _texts(arguments.get("query")) or []
    queries = tuple(dict.fromkeys(one + found))
    if not queries:
        raise BadRequest(f"search_tools needs a query in words: {_SEARCH_FORM}")
    if len(queries) > MAX_QUERIES:
        raise BadRequest(f"search_tools takes at most {MAX_QUERIES} queries at once, not {len(queries)}.")
    if any(len(query) > MAX_QUERY_CHARS for query in queries):
        raise BadRequest(
            f"A query is a short sentence, at most {MAX_QUERY_CHARS} characters: say what should be done, "
            f"not the material it is done to. {_SEARCH_FORM}"
        )
    return queries


def _texts(value: object) -> list[str] | None:
    """The non-blank texts of a text or of a list of texts; None when it is neither."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return None
    return [stripped for item in value if (stripped := item.strip())]


def _limit(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadRequest(f"`limit` is a whole number from 1 to {MAX_LIMIT}.")
    return min(value, MAX_LIMIT)


def _servers(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = _texts(value)
    if names is None:
        raise BadRequest('`servers` is a list of server names: {"servers": ["github"]}')
    return tuple(name[:MAX_NAME_CHARS] for name in names) or None


def _detail(value: object) -> Detail:
    if value is None:
        return Detail.SIGNATURE
    try:
        return Detail(str(value))
    except ValueError:
        raise BadRequest(f"`detail` is one of {', '.join(Detail)}.") from None


def _include(value: object) -> tuple[str, ...]:
    names = _texts(value) if value is not None else []
    if names is None or not SECTIONS.keys() >= set(names):
        raise BadRequest('`include` is a list of what to find beside tools: {"include": ["prompts", "resources"]}')
    return tuple(name for name in SECTIONS if name in names)

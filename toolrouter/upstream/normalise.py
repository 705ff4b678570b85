"""Which of the definitions that a server sent can be served. Each stands alone: a malformed one costs only itself.

Definitions are never edited. What is repairable (no `inputSchema`, a schema without a type, nulls where a field is
optional) is served, and `presentable` makes the form that hosts accept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from toolrouter.types import JsonObject, Refusal

MAX_NAME_CHARS = 256
MAX_URI_CHARS = 4_096
MAX_DEFINITION_BYTES = 1 * 2**20
MAX_DEPTH = 100
MAX_NODES = 50_000

HEADER_KEY = "x-mcp-header"
HEADER_TYPES = frozenset({"string", "integer", "boolean"})
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_OPTIONAL = {
    "title": str,
    "description": str,
    "annotations": dict,
    "outputSchema": dict,
    "_meta": dict,
    "icons": list,
    "execution": dict,
}
_WORDS = {str: "text", dict: "an object", list: "a list"}


def normalise(server: str, tools: Iterable[object], *, modern: bool) -> tuple[list[JsonObject], list[Refusal]]:
    """Splits a list of definitions into those that can be served, verbatim and in order, and those that cannot.

    Of several with the same name the first is served. `modern`: the server speaks 2026-07-28, whose rules for
    `x-mcp-header` then hold.
    """
    served: dict[str, JsonObject] = {}
    refused: list[Refusal] = []
    for position, tool in enumerate(tools, start=1):
        name = _name_of(tool) or f"#{position}"
        reason = _fault(tool, modern=modern)
        if reason is None and name in served:
            reason = "another tool of the server has the same name and came first"
        if reason is None and isinstance(tool, dict):
            served[name] = tool
        else:
            refused.append(Refusal(server, name, reason or ""))
    return list(served.values()), refused


def normalise_offers(items: Iterable[object], key: str) -> list[JsonObject]:
    """Those prompts, resources or templates that can be served, verbatim and in order; of one name the first."""
    served: dict[str, JsonObject] = {}
    for item in items:
        name = item.get(key) if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(name, str) or not name.strip() or name in served:
            continue
        if len(name) <= MAX_URI_CHARS and name.isprintable() and _size_fault(item) is None:
            served[name] = item
    return list(served.values())


def presentable(raw: JsonObject) -> JsonObject:
    """A served definition in the form every host accepts: an object schema, and no nulls for optional fields."""
    schema = raw.get("inputSchema") or {}
    kept = {key: value for key, value in raw.items() if value is not None or key not in _OPTIONAL}
    return kept | {"inputSchema": schema if schema.get("type") == "object" else {**schema, "type": "object"}}


def _name_of(tool: object) -> str:
    name = tool.get("name") if isinstance(tool, dict) else None
    if not isinstance(name, str):
        return ""
    return "".join(character if character.isprintable() else "?" for character in name[:MAX_NAME_CHARS])


def _fault(tool: object, *, modern: bool) -> str | None:
    if not isinstance(tool, dict):
        return "the definition is not an object"
    return _name_fault(tool) or _size_fault(tool) or _field_fault(tool) or _schema_fault(tool, modern=modern)


def _name_fault(tool: JsonObject) -> str | None:
    if "name" not in tool:
        return "it has no name"
    name = tool["name"]
    if not isinstance(name, str) or not name.strip():
        return "its name is not a text" if name else "its name is empty"
    if len(name) > MAX_NAME_CHARS:
        return f"its name is longer than {MAX_NAME_CHARS} characters"
    return None if name.isprintable() else "its name contains characters that cannot be shown"


def _size_fault(tool: JsonObject) -> str | None:
    depth, nodes = _extent(tool)
    if depth > MAX_DEPTH:
        return f"it is nested more than {MAX_DEPTH} levels deep"
    if nodes > MAX_NODES:
        return f"it has more than {MAX_NODES:,} parts"
    try:
        size = len(json.dumps(tool, ensure_ascii=False, separators=(",", ":")).encode())
    except UnicodeEncodeError:
        return "it contains text that is not valid Unicode"
    if size > MAX_DEFINITION_BYTES:
        return f"its definition of {size:,} bytes is over the limit of {MAX_DEFINITION_BYTES:,}"
    return None


def _extent(value: Any) -> tuple[int, int]:
    """Depth and number of containers and scalars, counted no further than the limits."""
    deepest, nodes, level = 0, 0, [value]
    while level and deepest <= MAX_DEPTH and nodes <= MAX_NODES:
        nodes += len(level)
        level = [child for node in level if isinstance(node, dict | list) for child in _children(node)]
        deepest += 1
    return deepest, nodes


def _children(node: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return node.values() if isinstance(node, dict) else node


def _field_fault(tool: JsonObject) -> str | None:
    for key, kind in _OPTIONAL.items():
        if tool.get(key) is not None and not isinstance(tool[key], kind):
            return f"its {key} is not {_WORDS[kind]}"
    return None


def _schema_fault(tool: JsonObject, *, modern: bool) -> str | None:
    schema = tool.get("inputSchema")
    if schema is None:
        return None
    if not isinstance(schema, dict):
        return "its inputSchema is not an object"
    kind = schema.get("type")
    if kind not in (None, "object") and not (isinstance(kind, list) and "object" in kind):
        return f"its inputSchema describes {json.dumps(kind)}, but arguments are an object"
    return _header_fault(schema) if modern else None


def _header_fault(schema: JsonObject) -> str | None:
    """2026-07-28: a tool whose `x-mcp-header` is invalid must not be used."""
    seen: set[str] = set()
    for reachable, position in _schema_positions(schema):
        if HEADER_KEY not in position:
            continue
        header, kind = position[HEADER_KEY], position.get("type")
        if not reachable:
            return f"its {HEADER_KEY} is not on a plain property"
        if not isinstance(header, str) or not _TOKEN.fullmatch(header):
            return f"its {HEADER_KEY} is not a valid header name"
        if not isinstance(kind, str) or kind not in HEADER_TYPES:
            return f"its {HEADER_KEY} {header} is on a property that is no string, integer or boolean"
        if header.lower() in seen:
            return f"its {HEADER_KEY} {header} is used twice"
        seen.add(header.lower())
    return None


_ONE = (
    "items",
    "contains",
    "unevaluatedItems",
    "additionalProperties",
    "propertyNames",
    "unevaluatedProperties",
    "not",
)
_ONE_MORE = ("if", "then", "else", "contentSchema")
_MANY = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("patternProperties", "dependentSchemas", "$defs", "definitions")


def _schema_positions(root: JsonObject) -> Iterator[tuple[bool, JsonObject]]:
    """Every subschema, and whether a chain of `properties` alone leads to it. Data (`default`, `enum`) is not one."""
    stack: list[tuple[bool, bool, Any]] = [(True, False, root)]
    while stack:
        plain, is_property, node = stack.pop()
        if not isinstance(node, dict):
            continue
        yield plain and is_property, node
        properties = node.get("properties")
        if isinstance(properties, dict):
            stack.extend((plain, True, child) for child in properties.values())
        stack.extend((False, False, child) for child in _other_subschemas(node))


def _other_subschemas(node: JsonObject) -> Iterator[Any]:
    yield from (node[key] for key in (*_ONE, *_ONE_MORE) if key in node)
    for key in _MANY:
        if isinstance(node.get(key), list):
            yield from node[key]
    for key in _NAMED:
        if isinstance(node.get(key), dict):
            yield from node[key].values()

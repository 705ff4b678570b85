"""One-line signatures: what a model needs to choose a tool, and mostly to call it, at a tenth of the definition's cost.

`github__create_issue(owner*: str, title*: str, labels: [str], state: "open"|"closed") - Create an issue.`

`*` marks what is required. Inside an object, a field without a type is a string. `LOSSY` inside the parentheses says
that something was left out there: describe the tool before calling it. Any JSON that an upstream sends is accepted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Final

from toolrouter.catalog.plain import plain
from toolrouter.types import Tool

LOSSY: Final = "…"
MAX_CHARS: Final = 360
MAX_SENTENCE_CHARS: Final = 140
_MAX_PARAMETERS_READ: Final = 400
_MAX_FIELDS: Final = 8
_MAX_ENUM_CHARS: Final = 60
_MAX_NAME_CHARS: Final = 48
_MAX_DEPTH: Final = 3
_MAX_CHOICES: Final = 4
_MAX_REF_CHARS: Final = 256
_MIN_ROOM: Final = 24
_LABEL_WORDS: Final = 1
_MAX_NODES: Final = 1_000

_TYPES: Final = {
    "string": "str",
    "integer": "int",
    "number": "num",
    "boolean": "bool",
    "null": "null",
    "array": "[any]",
    "object": "object",
}
_NAME = re.compile(r"[^\s,:;(){}\[\]|*\"'…]+")
# A sentence ends before white space, but not after an abbreviation or a single letter.
_SENTENCE_END = re.compile(
    r"(?<!\be\.g)(?<!\bi\.e)(?<!\bvs)(?<!\betc)(?<!\b\w)[.!?](?=\s)|\n\s*\n|(?<=\S)\n(?=\s*[-*#<])"
)
_MARKUP = re.compile(r"\A(?:\s|#+\s|<[\w /-]{1,40}>|[*_`>-]+(?=\s))+")


def signature(tool: Tool, *, max_chars: int = MAX_CHARS) -> str:
    """Returns the signature of a tool: one line of visible characters of about `max_chars` at most."""
    sentence = first_sentence(tool.description or tool.title)
    tail = f" - {sentence}" if sentence else ""
    room = max_chars - len(tool.id) - len(tail) - 2
    return f"{tool.id}({_parameters(tool.input_schema, max(room, _MIN_ROOM))}){tail}"


def first_sentence(text: str, limit: int = MAX_SENTENCE_CHARS) -> str:
    """Returns the first sentence of a description on one line, without markup before it.

    With the one after it where it is a label, such as "Read-only." or "DEPRECATED!".
    """
    head = _MARKUP.sub("", text[: 8 * limit])
    ends = (match.end() for match in _SENTENCE_END.finditer(head))
    end = next(ends, len(head))
    if len(head[:end].split()) <= _LABEL_WORDS:
        end = next(ends, len(head))
    return plain(head[:end], limit).rstrip(" .:")


@dataclass(slots=True)
class _Schema:
    """The whole schema, for references, and how much of it may still be read: an upstream chooses its size."""

    root: Mapping[str, Any]
    nodes_left: int = _MAX_NODES


def _parameters(root: Mapping[str, Any], room: int) -> str:
    """Writes as many parameters as fit, required ones first, and how many are left."""
    properties = root.get("properties")
    if not isinstance(properties, Mapping):
        # What a composed schema allows is not a list of parameters.
        return LOSSY if any(keyword in root for keyword in _WRITERS) else ""
    schema, required = _Schema(root), _required(root)
    written: list[str] = []
    for key in _required_first(properties, required):
        text = _parameter(key, properties[key], required, schema)
        if len(text) > room and key in required:
            text = f"{_name(key)}*: {LOSSY}"
        room -= len(text) + 2
        if room < 0 and written:
            break
        written.append(text)
    left = len(properties) - len(written)
    return ", ".join([*written, f"{LOSSY} +{left}"] if left else written)


def _required_first(properties: Mapping[str, Any], required: frozenset[str]) -> list[str]:
    return sorted(islice(properties, _MAX_PARAMETERS_READ), key=lambda key: key not in required)


def _parameter(key: str, node: object, required: frozenset[str], schema: _Schema) -> str:
    return f"{_name(key)}{'*' if key in required else ''}: {_type(node, schema, 0)}"


def _name(key: str) -> str:
    shown = plain(key, _MAX_NAME_CHARS)
    quoted = shown if _NAME.fullmatch(shown) else json.dumps(shown, ensure_ascii=False)
    return quoted if shown == key else quoted + LOSSY


def _type(node: object, schema: _Schema, depth: int) -> str:
    if not isinstance(node, Mapping) or not node:
        return "any"
    schema.nodes_left -= 1
    if depth > _MAX_DEPTH or schema.nodes_left < 0:
        return LOSSY
    for keyword, write in _WRITERS.items():
        if keyword in node:
            found = write(node, schema, depth)
            if found:
                return found
    return _named_type(node, schema, depth)


def _reference(node: Mapping[str, Any], schema: _Schema, depth: int) -> str:
    target: object = schema.root
    pointer = node["$ref"]
    if not isinstance(pointer, str) or not pointer.startswith("#/") or len(pointer) > _MAX_REF_CHARS:
        return LOSSY
    for step in pointer[2:].split("/"):
        target = _step(target, step.replace("~1", "/").replace("~0", "~"))
    return _type(target, schema, depth + 1) if isinstance(target, Mapping) else LOSSY


def _step(node: object, step: str) -> object:
    if isinstance(node, Mapping):
        return node.get(step)
    if isinstance(node, list) and step.isdecimal() and len(step) < 6 and int(step) < len(node):
        return node[int(step)]
    return None


def _constant(node: Mapping[str, Any], schema: _Schema, depth: int) -> str:
    return _value(node["const"])


def _enumeration(node: Mapping[str, Any], schema: _Schema, depth: int) -> str:
    values = node["enum"]
    if not isinstance(values, list) or not values:
        return ""
    return _bounded([_value(value) for value in values[: _MAX_ENUM_CHARS // 2]], len(values), _MAX_ENUM_CHARS)


def _bounded(texts: list[str], count: int, room: int) -> str:
    kept = texts[:1]
    for text in texts[1:]:
        if sum(map(len, kept)) + len(kept) + len(text) > room:
            break
        kept.append(text)
    return "|".join([*kept, LOSSY] if len(kept) < count else kept)


def _value(value: object) -> str:
    if isinstance(value, str):
        shown = plain(value, _MAX_NAME_CHARS)
        return json.dumps(shown, ensure_ascii=False) + ("" if shown == value else LOSSY)
    if value is None or isinstance(value, (bool, float)) or (isinstance(value, int) and value.bit_length() < 128):
        return json.dumps(value)
    return LOSSY


def _alternatives(keyword: str, node: Mapping[str, Any], schema: _Schema, depth: int) -> str:
    nodes = node[keyword]
    if not isinstance(nodes, list) or not nodes:
        return ""
    texts = [_type(below, schema, depth + 1) for below in nodes[: 2 * _MAX_CHOICES]]
    distinct = [text for text in dict.fromkeys(texts) if text != "null"] or ["null"]
    cut = len(nodes) > 2 * _MAX_CHOICES or len(distinct) > _MAX_CHOICES
    return "|".join([*distinct[:_MAX_CHOICES], LOSSY] if cut else distinct)


def _combined(node: Mapping[str, Any], schema: _Schema, depth: int) -> str:
    nodes = node["allOf"]
    if not isinstance(nodes, list) or not nodes:
        return ""
    return _type(nodes[0], schema, depth + 1) if len(nodes) == 1 else f"{{{LOSSY}}}"


def _named_type(node: Mapping[str, Any], schema: _Schema, depth: int) -> str:
    named = node.get("type")
    if isinstance(named, list):
        names = [name for name in named[: 2 * _MAX_CHOICES] if isinstance(name, str)]
        texts = [_one_type(name, node, schema, depth) for name in dict.fromkeys(names) if name != "null"]
        return "|".join(texts) or "any"
    if isinstance(named, str):
        return _one_type(named, node, schema, depth)
    if "properties" in node:
        return _one_type("object", node, schema, depth)
    return _one_type("array", node, schema, depth) if "items" in node else "any"


def _one_type(name: str, node: Mapping[str, Any], schema: _Schema, depth: int) -> str:
    if name == "array" and "items" in node:
        return f"[{_type(node['items'], schema, depth + 1)}]"
    if name == "object":
        return _object(node, schema, depth)
    return _TYPES.get(name, "any")


def _object(node: Mapping[str, Any], schema: _Schema, depth: int) -> str:
    properties = node.get("properties")
    if not isinstance(properties, Mapping) or not properties:
        values = node.get("additionalProperties")
        open_ended = isinstance(values, Mapping) and values
        return f"{{str: {_type(values, schema, depth + 1)}}}" if open_ended else _TYPES["object"]
    if depth >= _MAX_DEPTH:
        return f"{{{LOSSY}}}"
    required = _required(node)
    keys = _required_first(properties, required)[:_MAX_FIELDS]
    written = [_field(key, properties[key], required, schema, depth) for key in keys]
    left = len(properties) - len(written)
    return "{" + ", ".join([*written, f"{LOSSY} +{left}"] if left else written) + "}"


def _field(key: str, node: object, required: frozenset[str], schema: _Schema, depth: int) -> str:
    kind = _type(node, schema, depth + 1)
    name = _name(key) + ("*" if key in required else "")
    return name if kind == "str" else f"{name}: {kind}"


def _required(schema: Mapping[str, Any]) -> frozenset[str]:
    names = schema.get("required")
    return frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else frozenset()


_Write = Callable[[Mapping[str, Any], _Schema, int], str]
_WRITERS: Final[dict[str, _Write]] = {
    "$ref": _reference,
    "const": _constant,
    "enum": _enumeration,
    "anyOf": partial(_alternatives, "anyOf"),
    "oneOf": partial(_alternatives, "oneOf"),
    "allOf": _combined,
}

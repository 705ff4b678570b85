"""Looks into JSON values: what they are made of, and single parts by a small JSONPath."""

from __future__ import annotations

import re
from typing import Any

MAX_KEYS = 20
MAX_DEPTH = 4
MAX_PICKED = 10_000
_STEP = re.compile(r"\.?([A-Za-z_$][\w$-]*|\*)|\[(\d+|-\d+|\*|-?\d*:-?\d*|\"[^\"]*\"|'[^']*')\]")


def shape(value: Any, depth: int = MAX_DEPTH) -> str:
    """`{total: int, items: [120 x {id: int, name: str}]}`."""
    if isinstance(value, dict):
        if not depth:
            return f"{{{len(value)} keys}}"
        parts = [f"{key}: {shape(child, depth - 1)}" for key, child in list(value.items())[:MAX_KEYS]]
        return f"{{{', '.join(parts)}{', …' if len(value) > MAX_KEYS else ''}}}"
    if isinstance(value, list):
        return f"[{len(value)} x {shape(value[0], depth - 1)}]" if value and depth else f"[{len(value)}]"
    names = {type(None): "null", bool: "bool", int: "int", float: "float"}
    return names.get(type(value), f"str({len(value)})" if isinstance(value, str) else "str")


def pick(value: Any, path: str) -> list[Any]:
    """The parts that a path names: `$.items[0].name`, `items[*].id`, `items[10:20]`. Raises ValueError."""
    found, rest = [value], path.strip().removeprefix("$")
    while rest:
        step = _STEP.match(rest)
        if step is None:
            raise ValueError(f"`path` cannot be read at {rest[:40]!r}; write it like $.items[0].name or items[*].id")
        rest = rest[step.end() :]
        key = step[1] if step[1] is not None else step[2]
        found = [child for each in found for child in _children(each, key)][:MAX_PICKED]
    return found


def _children(value: Any, key: str) -> list[Any]:
    if key == "*":
        return list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, list) else []
    if isinstance(value, dict):
        name = key[1:-1] if key[:1] in {'"', "'"} else key
        return [value[name]] if name in value else []
    if not isinstance(value, list):
        return []
    if ":" in key:
        start, end = (int(part) if part else None for part in key.split(":"))
        return value[start:end]
    if not key.lstrip("-").isdigit() or not -len(value) <= int(key) < len(value):
        return []
    return [value[int(key)]]

"""The headers that mirror what is in a request of 2026-07-28, so that proxies can route without reading bodies."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, Final

from toolrouter.types import JsonObject
from toolrouter.upstream.normalise import HEADER_KEY

NAMED_BY: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""Which of a request's params is mirrored as `Mcp-Name`."""

_PLAIN: Final = re.compile(r"[\x20-\x7e]*")
_ENCODED: Final = re.compile(r"=\?base64\?.*\?=")

HeaderMap = Mapping[tuple[str, ...], str]
"""For the path of a property, the name of the header that mirrors it."""


def header_map(schema: object) -> HeaderMap:
    """What a tool's `inputSchema` wants mirrored. The schema is one that `normalise` has let through."""
    found: dict[tuple[str, ...], str] = {}
    left: list[tuple[tuple[str, ...], Any]] = [((), schema)]
    while left:
        path, node = left.pop()
        if not isinstance(node, dict):
            continue
        if path and isinstance(name := node.get(HEADER_KEY), str):
            found[path] = name
        if isinstance(properties := node.get("properties"), dict):
            left.extend(((*path, str(key)), child) for key, child in properties.items())
    return found


def mirrored(method: str, params: JsonObject, maps: Mapping[str, HeaderMap]) -> dict[str, str]:
    """The headers of one request. `maps`: what each tool wants mirrored."""
    headers = {"mcp-method": method}
    name = params.get(NAMED_BY.get(method, ""))
    if not isinstance(name, str):
        return headers
    headers["mcp-name"] = header_value(name)
    for path, header in maps.get(name, {}).items():
        if (text := _text(_at(params.get("arguments"), path))) is not None:
            headers[f"mcp-param-{header}"] = header_value(text)
    return headers


def header_value(text: str) -> str:
    """`text` as it is where a header can carry it, else in base64 with the marks that the specification gives it."""
    if _PLAIN.fullmatch(text) and text == text.strip() and not _ENCODED.fullmatch(text):
        return text
    encoded = base64.b64encode(text.encode(errors="replace")).decode()
    return f"=?base64?{encoded}?="


def _at(arguments: object, path: tuple[str, ...]) -> object:
    for key in path:
        if not isinstance(arguments, Mapping):
            return None
        arguments = arguments.get(key)
    return arguments


def _text(value: object) -> str | None:
    """None for what has no form as a header, and is left out."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        return None
    try:
        return str(value)
    except ValueError:  # an integer of thousands of digits
        return None

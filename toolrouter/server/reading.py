"""`read_result`: a part of a kept result, as text within one page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolrouter.server.kept import structure_of, texts_of
from toolrouter.server.requests import BadRequest
from toolrouter.server.results import compact_json
from toolrouter.server.shapes import pick
from toolrouter.types import JsonObject

PAGE_CHARS = 12_000
MAX_MATCHES = 100
MATCH_CHARS = 400
_FORM = '{"id": "r…"} with `page`, `offset`, `grep` or `path`'


@dataclass(frozen=True, slots=True)
class ReadRequest:
    id: str
    offset: int
    grep: str
    path: str


def read_reading(arguments: Mapping[str, Any]) -> ReadRequest:
    """Reads the arguments of `read_result`. Raises BadRequest."""
    handle = arguments.get("id")
    if not isinstance(handle, str) or not handle.strip():
        raise BadRequest(f"read_result needs the id of a kept result: {_FORM}")
    offset = _number(arguments.get("offset"), 0)
    page = _number(arguments.get("page"), 0)
    if page:
        offset = (page - 1) * PAGE_CHARS
    return ReadRequest(handle.strip(), offset, _words(arguments.get("grep")), _words(arguments.get("path")))


def render_part(result: JsonObject, request: ReadRequest) -> str:
    """The part that was asked for, and how to go on. Raises BadRequest."""
    text = _picked(result, request.path) if request.path else texts_of(result)
    if request.grep:
        return _matches(text, request.grep, request.id)
    part = text[request.offset : request.offset + PAGE_CHARS]
    end = request.offset + len(part)
    if not part and text:
        raise BadRequest(f"The text ends at {len(text):,}: there is nothing at {request.offset:,}.")
    if end >= len(text):
        return part or "Nothing is there."
    return f"{part}\n\n[{request.offset:,} to {end:,} of {len(text):,} characters; go on with offset: {end}]"


def _picked(result: JsonObject, path: str) -> str:
    structure = structure_of(result)
    if structure is None:
        raise BadRequest("This result is plain text and has no structure: use `page`, `offset` or `grep`.")
    try:
        found = pick(structure, path)
    except ValueError as error:
        raise BadRequest(str(error)) from error
    if len(found) == 1:
        return found[0] if isinstance(found[0], str) else json.dumps(found[0], ensure_ascii=False, indent=1)
    return "\n".join(compact_json(each) for each in found)


def _matches(text: str, words: str, handle: str) -> str:
    """Lines that contain the words, in any case. No regular expression: it could be made to run for hours."""
    wanted = words.casefold()
    lines: list[str] = []
    position, more = 0, 0
    for line in text.split("\n"):
        if (at := line.casefold().find(wanted)) >= 0:
            if len(lines) < MAX_MATCHES:
                start = max(0, at - MATCH_CHARS // 2)
                lines.append(f"{position + start}: {line[start : start + MATCH_CHARS]}")
            else:
                more += 1
        position += len(line) + 1
    if not lines:
        return f"No line of {handle} contains {words!r}."
    told = f"\n[{more} more that match]" if more else ""
    return "\n".join(lines)[:PAGE_CHARS] + told


def _number(value: object, default: int) -> int:
    if value is None:
        return default
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadRequest("`page` and `offset` are whole numbers.")
    return value


def _words(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > 500:
        raise BadRequest("`grep` and `path` are short texts.")
    return value.strip()

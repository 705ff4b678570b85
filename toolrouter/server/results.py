"""Results of calls: our own in words, and those of upstreams in the shape the host's protocol version accepts."""

from __future__ import annotations

import json
import logging
from typing import Any

from toolrouter.server.protocol import is_modern
from toolrouter.types import JsonObject
from toolrouter.wire.jsonrpc import INTERNAL_ERROR
from toolrouter.wire.lines import encode_message

logger = logging.getLogger(__name__)

_MODERN_KEYS = ("resultType", "ttlMs", "cacheScope")
_FIRST_BLOCKS = frozenset({"text", "image", "resource"})
_KNOWN_BLOCKS = {
    "2024-11-05": _FIRST_BLOCKS,
    "2025-03-26": _FIRST_BLOCKS | {"audio"},
}
_ALL_BLOCKS = _FIRST_BLOCKS | {"audio", "resource_link"}


def compact_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def text_result(text: str) -> JsonObject:
    return {"content": [{"type": "text", "text": text}]}


def error_result(text: str) -> JsonObject:
    """A failed call that the model reads, as opposed to a protocol error that the host reads."""
    return {"content": [{"type": "text", "text": text}], "isError": True}


def encoded(message: JsonObject) -> bytes:
    """A message for a host as one line; an error in the place of a result that JSON cannot say."""
    try:
        return encode_message(message)
    except (ValueError, TypeError, RecursionError):
        logger.exception("a result cannot be written as JSON")
        error = {"code": INTERNAL_ERROR, "message": "The result cannot be written as JSON"}
        return encode_message({"jsonrpc": "2.0", "id": message.get("id"), "error": error})


def asks_for_input(result: JsonObject) -> bool:
    return result.get("resultType") == "input_required"


def in_era(result: JsonObject, *, modern: bool) -> JsonObject:
    """A result without what only the new era knows, for a host of the handshake era."""
    if modern or not any(key in result for key in _MODERN_KEYS):
        return result
    return {key: value for key, value in result.items() if key not in _MODERN_KEYS}


def for_host(result: JsonObject, version: str) -> JsonObject:
    """An upstream's result as a host of that version accepts it; otherwise untouched, unknown fields included.

    Hosts refuse a whole result for one part they do not know. So a block of an unknown type becomes text, missing
    content becomes empty content, and hosts of the handshake era get no structured value that is not an object.
    """
    if asks_for_input(result):
        return result
    answer = result
    content = result.get("content")
    blocks = [_readable(block, version) for block in content] if isinstance(content, list) else []
    if blocks != content:
        answer = {**answer, "content": blocks}
    return answer if is_modern(version) else _without_new_era(answer)


def _without_new_era(result: JsonObject) -> JsonObject:
    answer = {key: value for key, value in result.items() if key not in _MODERN_KEYS}
    if "structuredContent" in answer and not isinstance(answer["structuredContent"], dict):
        value = answer.pop("structuredContent")
        if not answer["content"]:
            answer["content"] = [{"type": "text", "text": compact_json(value)}]
    return answer


def _readable(block: Any, version: str) -> Any:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind in _KNOWN_BLOCKS.get(version, _ALL_BLOCKS):
        return block
    if kind == "audio":
        return _as_resource(block)
    return {"type": "text", "text": block if isinstance(block, str) else compact_json(block)}


def _as_resource(audio: JsonObject) -> JsonObject:
    """Sound for hosts older than audio blocks: an embedded resource carries the same bytes."""
    blob = {"uri": "toolrouter://audio", "mimeType": audio.get("mimeType"), "blob": audio.get("data")}
    return {"type": "resource", "resource": blob}

"""Results without what no reader sees: terminal control, bidi overrides, and letters that only a model reads.

Text is all that is touched: structured values and binary content arrive as they were sent.
"""

from __future__ import annotations

import re
from typing import Any, Final

from toolrouter.types import JsonObject

MARK: Final = "toolrouter/removed"
"""In `_meta` of a result: how many characters were taken out."""
SOURCE: Final = "toolrouter/server"

# Escape sequences whole (colours, cursor moves, titles, links), then every control but tab and line ends, the
# embeddings, overrides and isolates of bidi text, and the tag and private variation letters.
_UNSEEN: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?|\x1b[@-Z\\-_]?"
    r"|\x9b[0-?]*[ -/]*[@-~]"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f\U000e0100-\U000e01ef]"
)
_FLAG: Final = re.compile("\U0001f3f4[\U000e0061-\U000e007a\U000e0030-\U000e0039]{1,6}\U000e007f")


def cleaned(result: JsonObject, server: str) -> JsonObject:
    """Returns a result whose texts show all that is in them; the very same object when there is nothing to remove."""
    content = result.get("content")
    if not isinstance(content, list):
        return result
    blocks, removed = [], 0
    for block in content:
        clean, count = _block(block)
        blocks.append(clean)
        removed += count
    if not removed:
        return result
    meta = result.get("_meta")
    marked = {**(meta if isinstance(meta, dict) else {}), MARK: removed, SOURCE: server}
    return {**result, "content": blocks, "_meta": marked}


def clean_text(text: str) -> tuple[str, int]:
    """Returns a text without what does not show, and how many characters that were."""
    if text.isascii() and text.isprintable():
        return text, 0
    # The flags of Scotland, England and Wales are spelt with tag letters.
    flags = [found.span() for found in _FLAG.finditer(text)]
    kept = _UNSEEN.sub(lambda found: found[0] if _within(found.start(), flags) else "", text)
    return kept, len(text) - len(kept)


def _within(position: int, spans: list[tuple[int, int]]) -> bool:
    return any(start <= position < end for start, end in spans)


def _block(block: Any) -> tuple[Any, int]:
    if not isinstance(block, dict):
        return block, 0
    if block.get("type") == "text" and isinstance(block.get("text"), str):
        text, removed = clean_text(block["text"])
        return ({**block, "text": text} if removed else block), removed
    resource = block.get("resource")
    if block.get("type") == "resource" and isinstance(resource, dict) and isinstance(resource.get("text"), str):
        text, removed = clean_text(resource["text"])
        return ({**block, "resource": {**resource, "text": text}} if removed else block), removed
    return block, 0

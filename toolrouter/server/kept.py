"""Results that are too long for a conversation: kept whole on disk, shown by their head, read in parts.

Nothing is cut without saying so. Images, sound and everything else that is no text pass untouched.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio.to_thread

from toolrouter.catalog.tokens import count_tokens
from toolrouter.config import ResultSettings
from toolrouter.errors import NotFound
from toolrouter.server.results import compact_json
from toolrouter.server.shapes import shape
from toolrouter.types import JsonObject

logger = logging.getLogger(__name__)

HEAD_CHARS = 6_000
SAMPLE_CHARS = 20_000
MAX_KEPT = 2_000
_HANDLE = re.compile(r"r[0-9a-f]{16}")


class KeptResults:
    """Long results of one machine. `folder` is made when the first one comes."""

    def __init__(self, settings: ResultSettings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder

    async def shortened(self, result: JsonObject) -> JsonObject:
        """The result itself, or its head and how to read the rest when its text is over the limit."""
        if _rough_bytes(result) <= self._settings.max_tokens:
            return result  # a token is at least a byte
        return await anyio.to_thread.run_sync(self._shortened, result)

    async def load(self, handle: str) -> JsonObject:
        """A kept result, whole. Raises NotFound."""
        return await anyio.to_thread.run_sync(self._load, handle)

    def _shortened(self, result: JsonObject) -> JsonObject:
        if _tokens(texts_of(result)) <= self._settings.max_tokens:
            return result
        try:
            handle = self._keep(result)
        except OSError as error:
            logger.warning("a long result is passed on whole, it cannot be kept: %s", error)
            return result
        content = result.get("content")
        blocks = content if isinstance(content, list) else []
        others = [block for block in blocks if not _is_text(block)]
        answer = {key: value for key, value in result.items() if key not in {"content", "structuredContent"}}
        return {**answer, "content": [{"type": "text", "text": _head(result, handle)}, *others]}

    def _keep(self, result: JsonObject) -> str:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._forget_old()
        handle = f"r{secrets.token_hex(8)}"
        path = self._folder / f"{handle}.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(result), encoding="utf-8")
        return handle

    def _load(self, handle: str) -> JsonObject:
        path = self._folder / f"{handle}.json"
        if _HANDLE.fullmatch(handle):
            with suppress(OSError, ValueError):
                if time.time() - path.stat().st_mtime <= self._settings.keep_s:
                    found: JsonObject = json.loads(path.read_text(encoding="utf-8"))
                    return found
        raise NotFound(f"There is no kept result {handle[:40]!r}; it may have expired. Call the tool again.")

    def _forget_old(self) -> None:
        kept = sorted(self._folder.glob("r*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        oldest = time.time() - self._settings.keep_s
        for number, path in enumerate(kept):
            if number >= MAX_KEPT or path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)


def texts_of(result: JsonObject) -> str:
    """All text of a result; its structured content where there is no text."""
    content = result.get("content")
    found = [str(block.get("text")) for block in content if _is_text(block)] if isinstance(content, list) else []
    if not found and "structuredContent" in result:
        return compact_json(result["structuredContent"])
    return "\n".join(found)


def structure_of(result: JsonObject) -> Any:
    """The structured content, or the text where that is JSON; None when neither."""
    if "structuredContent" in result:
        return result["structuredContent"]
    text = texts_of(result).strip()
    if text[:1] in {"{", "["}:
        with suppress(ValueError, RecursionError):
            return json.loads(text)
    return None


def _head(result: JsonObject, handle: str) -> str:
    text = texts_of(result)
    head = text[:HEAD_CHARS]
    lines = [head, "", f"[Cut here: {len(head):,} of {len(text):,} characters. The whole result is kept as {handle}."]
    structure = structure_of(result)
    if structure is not None:
        lines.append(f"Its shape: {shape(structure)}")
    lines.append(f'read_result(id: "{handle}") goes on, by page, grep or path.]')
    return "\n".join(lines)


def _is_text(block: object) -> bool:
    return isinstance(block, dict) and block.get("type") == "text"


def _rough_bytes(result: JsonObject) -> int:
    """At least the bytes of the text, counted cheaply."""
    content = result.get("content")
    size = (
        sum(4 * len(str(block.get("text"))) for block in content if _is_text(block)) if isinstance(content, list) else 0
    )
    return size if size or "structuredContent" not in result else 4 * len(compact_json(result["structuredContent"]))


def _tokens(text: str) -> int:
    """Exact for short texts, by a sample for long ones."""
    sample = text[:SAMPLE_CHARS]
    counted = count_tokens(sample)
    return counted if len(sample) == len(text) else round(counted * len(text) / len(sample))

"""Counts o200k tokens with tiktoken, offline: the ranks ship with the package."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from toolrouter.errors import ToolrouterError

if TYPE_CHECKING:
    from tiktoken import Encoding

    from toolrouter.types import JsonObject

# tiktoken splits text with a backtracking expression that overflows its stack on a run of about a million spaces.
CHUNK_CHARS: Final = 100_000

_RANKS: Final = Path(__file__).parent.parent / "data" / "tiktoken" / "fb374d419588a4632f3f557e76b4b70aebbca790"
_RANKS_SHA256: Final = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
_CACHE_VARIABLE: Final = "TIKTOKEN_CACHE_DIR"
_loading = threading.Lock()


def count_tokens(text: str) -> int:
    """Returns the number of o200k tokens of a text; special tokens count as the ordinary text they are.

    Exact up to `CHUNK_CHARS`; a longer text is counted in chunks, which may add a token per cut.
    """
    encoding = _encoding()
    if len(text) <= CHUNK_CHARS:
        return len(encoding.encode_ordinary(text))
    starts = range(0, len(text), CHUNK_CHARS)
    return sum(len(encoding.encode_ordinary(text[start : start + CHUNK_CHARS])) for start in starts)


def definition_tokens(raw: JsonObject) -> int:
    """Returns what one tool definition costs a model: its name, description and input schema as compact JSON."""
    shown: dict[str, Any] = {
        "name": raw.get("name", ""),
        "description": raw.get("description", ""),
        "input_schema": raw.get("inputSchema", {}),
    }
    return count_tokens(json.dumps(shown, ensure_ascii=False, separators=(",", ":")))


def _encoding() -> Encoding:
    with _loading:
        return _load()


@cache
def _load() -> Encoding:
    import tiktoken
    from tiktoken_ext.openai_public import o200k_base  # type: ignore[import-untyped]

    # tiktoken deletes a cached file that is not what it expects and downloads it again; so it sees only a good one.
    if hashlib.sha256(_read_ranks()).hexdigest() != _RANKS_SHA256:
        raise ToolrouterError(f"{_RANKS} is damaged, tokens cannot be counted; install toolrouter again")
    with _cache_folder(_RANKS.parent):
        definition = o200k_base()
    encoding = tiktoken.Encoding(**definition)
    # The encoder holds its own copy; this one is 30 MB.
    definition["mergeable_ranks"].clear()
    return encoding


def _read_ranks() -> bytes:
    try:
        return _RANKS.read_bytes()
    except OSError as error:
        raise ToolrouterError(f"{_RANKS} cannot be read, tokens cannot be counted: {error}") from error


@contextmanager
def _cache_folder(folder: Path) -> Iterator[None]:
    """Points tiktoken at a folder and puts back what the user had set."""
    before = os.environ.get(_CACHE_VARIABLE)
    os.environ[_CACHE_VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_CACHE_VARIABLE]
        else:
            os.environ[_CACHE_VARIABLE] = before

"""Framing: bytes as they arrive to JSON-RPC messages, in linear time and bounded memory.

Servers print banners, byte order marks, log lines and broken UTF-8 on the stream that belongs to the protocol. None of
that ends a connection: it becomes a `LineFault` between the messages.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from toolrouter.types import JsonObject

Receive = Callable[[], Awaitable[bytes]]
"""Waits for some bytes; b"" when the stream has ended."""

BOM = b"\xef\xbb\xbf"
EXCERPT_CHARS = 120


@dataclass(frozen=True, slots=True)
class LineFault:
    """Something on the stream that is no message."""

    reason: str
    excerpt: str = ""

    answers: int | None = None
    """The id of the request that the line answers, where that can be told."""

    def __str__(self) -> str:
        return f"{self.reason}: {self.excerpt!r}" if self.excerpt else self.reason


_EDGE_BYTES = 256
_VERSION = rb'(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?'
_ID_FIRST = re.compile(rb'\s*\{\s*%b"id"\s*:\s*"?([0-9]{1,15})"?\s*,\s*%b"(?:result|error)"\s*:' % (_VERSION, _VERSION))
_ANSWER = re.compile(rb'\s*\{\s*%b"(?:result|error)"\s*:' % _VERSION)
_ID_LAST = re.compile(rb'[,\s]"id"\s*:\s*"?([0-9]{1,15})"?\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*\Z')


class LineReader:
    """Iterates the lines of a byte stream, without their line ends; blank ones are left out.

    A line over `max_bytes` is dropped while it streams in and yields one `LineFault`. What follows the last line end
    counts as a line. Iterate it once.
    """

    def __init__(self, receive: Receive, max_bytes: int) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []
        self._size = 0
        self._head = self._tail = b""

    async def __aiter__(self) -> AsyncIterator[bytes | LineFault]:
        while chunk := await self._receive():
            start = 0
            # Each byte is looked at once: a line end can only be in what just came.
            while (end := chunk.find(b"\n", start)) >= 0:
                self._keep(chunk[start:end])
                start = end + 1
                if line := self._take():
                    yield line
            self._keep(chunk[start:] if start else chunk)
        if line := self._take():
            yield line

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._max_bytes:
            self._head = self._head or (self._parts[0] if self._parts else part)[:_EDGE_BYTES]
            self._tail = ((self._parts[-1] if self._parts else self._tail) + part)[-_EDGE_BYTES:]
            self._parts.clear()
        elif part:
            self._parts.append(part)

    def _take(self) -> bytes | LineFault:
        size, parts, head, tail = self._size, self._parts, self._head, self._tail
        self._size, self._parts, self._head, self._tail = 0, [], b"", b""
        if size > self._max_bytes:
            reason = f"a line of {size:,} bytes is over the limit of {self._max_bytes:,}"
            return LineFault(reason, answers=_answered(head, tail))
        return (parts[0] if len(parts) == 1 else b"".join(parts)).removeprefix(BOM).strip()


async def read_messages(receive: Receive, max_bytes: int) -> AsyncIterator[JsonObject | LineFault]:
    """The messages of a byte stream; a batch (2025-03-26) yields its members one by one."""
    async for line in LineReader(receive, max_bytes):
        if isinstance(line, LineFault):
            yield line
        else:
            for message in parse_messages(line):
                yield message


def parse_messages(data: bytes) -> list[JsonObject | LineFault]:
    """One message, or the members of a batch (2025-03-26)."""
    data = data.removeprefix(BOM).strip()
    return _parse_batch(data) if data.startswith(b"[") else [parse_message(data)]


def parse_message(line: bytes) -> JsonObject | LineFault:
    """One JSON-RPC message, or what is wrong with the line.

    Invalid UTF-8 is replaced and NaN and the infinities, which are not JSON, become null: a peer that is sloppy in one
    string should not cost its caller the answer.
    """
    value = _decode(line)
    return value if isinstance(value, LineFault) else _checked(value, line)


def encode_message(message: JsonObject) -> bytes:
    """One line, line end included. Raises ValueError or TypeError for what JSON cannot say."""
    return encode_body(message) + b"\n"


def encode_body(message: JsonObject) -> bytes:
    """The JSON alone, as the body of a request. Raises ValueError or TypeError for what JSON cannot say."""
    try:
        return json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except UnicodeEncodeError:  # a lone surrogate: legal as \uXXXX in JSON, impossible in UTF-8
        return json.dumps(message, separators=(",", ":"), allow_nan=False).encode()


def _parse_batch(line: bytes) -> list[JsonObject | LineFault]:
    value = _decode(line)
    if isinstance(value, LineFault):
        return [value]
    if not isinstance(value, list) or not value:
        return [LineFault("not a JSON-RPC message", _excerpt(line))]
    return [_checked(member, line) for member in value]


def _decode(line: bytes) -> Any:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        text = line.decode(errors="replace")
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else "not JSON"
        return LineFault(reason, _excerpt(line), answers=_answered(line[:_EDGE_BYTES], line[-_EDGE_BYTES:]))


def _answered(head: bytes, tail: bytes) -> int | None:
    """The request of ours that a line answers which cannot be read: whoever waits for it must not wait for ever.

    Servers print to stdout what they should not, requests with their ids in them: only what begins as an answer is one.
    """
    found = _ID_FIRST.match(head) or (_ID_LAST.search(tail) if _ANSWER.match(head) else None)
    return int(found[1]) if found else None


def _checked(value: Any, line: bytes) -> JsonObject | LineFault:
    # `jsonrpc` is asked for because servers also log JSON objects that have a `method` or an `id`.
    if isinstance(value, dict) and value.get("jsonrpc") == "2.0" and _has_a_kind(value):
        return value
    return LineFault("not a JSON-RPC message", _excerpt(line))


def _has_a_kind(message: JsonObject) -> bool:
    return isinstance(message.get("method"), str) or "result" in message or "error" in message


def _excerpt(line: bytes) -> str:
    text = line[: EXCERPT_CHARS * 4].decode(errors="replace")
    return text if len(text) <= EXCERPT_CHARS else text[: EXCERPT_CHARS - 1] + "…"


def _no_constant(_name: str) -> None:
    return None


_DECODER = json.JSONDecoder(parse_constant=_no_constant)

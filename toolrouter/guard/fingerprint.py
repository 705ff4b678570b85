"""The hash of a definition: over the complete object as it was received, whatever its fields mean.

The canonical form follows RFC 8785 where that is defined, and goes on where it is not:

- Keys are sorted by code point, white space is gone: neither their order nor the layout is part of a definition.
- Numbers count by value, as JSON has only one kind: `1`, `1.0` and `1e0` are one; integers keep every digit;
  other floats have their shortest exact form.
- Strings count code point by code point. No Unicode normalisation: what looks alike may not be alike.
- NaN, infinities and lone surrogates have a form as well, so that everything has a hash, though such a definition
  is never served (`examine` says why).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from toolrouter.types import JsonObject

MAX_DEPTH: Final = 128
_DOMAIN: Final = b"toolrouter-definition-1\0"
# Python refuses to print a longer integer in decimal.
_DECIMAL_BITS: Final = 14_000


@dataclass(frozen=True, slots=True)
class Examined:
    """A definition's hash and, in our words, why it cannot be sent on as JSON; empty when it can."""

    hash: str
    fault: str


def fingerprint(raw: JsonObject) -> str:
    """Returns the sha256 (hex) of the canonical form of a definition. Any JSON value of any depth has one."""
    return examine(raw).hash


def examine(raw: JsonObject) -> Examined:
    """Hashes a definition and looks for what no JSON message can carry on to a host."""
    writer = _Writer()
    writer.write(raw)
    text = "".join(writer.parts)
    fault = writer.fault
    try:
        data = text.encode()
    except UnicodeEncodeError:
        data = text.encode("utf-8", "surrogatepass")
        fault = fault or "holds half a character (a lone surrogate)"
    return Examined(hashlib.sha256(_DOMAIN + data).hexdigest(), fault)


class _Writer:
    """Writes without recursion, since an upstream chooses the depth."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.fault = ""

    def write(self, root: Any) -> None:
        # Popped from the end: values still to be written, and text that goes between them.
        waiting: list[Any] = [root]
        depth = 0
        while waiting:
            value = waiting.pop()
            kind = type(value)
            if kind is _Text:
                self.parts.append(value)
                depth -= value in _CLOSING
            elif kind is dict or kind is list:
                waiting.extend(_members(value) if kind is dict else _elements(value))
                self.parts.append("{" if kind is dict else "[")
                depth += 1
                if depth > MAX_DEPTH:
                    self.fault = f"is nested deeper than {MAX_DEPTH} levels"
            else:
                self.parts.append(self._scalar(value))

    def _scalar(self, value: Any) -> str:
        if isinstance(value, str):
            return str(encode_basestring(value))
        if value is None or isinstance(value, bool):
            return _WORDS[value]
        if isinstance(value, float):
            if not math.isfinite(value):
                self.fault = "holds a number that JSON does not know (NaN or infinity)"
                return repr(value)
            if not value.is_integer():
                return repr(value)
        number = int(value)
        return str(number) if number.bit_length() < _DECIMAL_BITS else hex(number)


class _Text(str):
    """Ready-made text among the values that wait to be written."""

    __slots__ = ()


_CLOSING: Final = (_Text("}"), _Text("]"))
_COMMA: Final = _Text(",")
_WORDS: Final = {None: "null", True: "true", False: "false"}


def _members(value: dict[str, Any]) -> Iterator[Any]:
    """Yields what an object holds in reverse, since the last one is taken first."""
    yield _CLOSING[0]
    for number, key in enumerate(sorted(value, reverse=True)):
        if number:
            yield _COMMA
        yield value[key]
        yield _Text(encode_basestring(key) + ":")


def _elements(value: list[Any]) -> Iterator[Any]:
    yield _CLOSING[1]
    for number, element in enumerate(reversed(value)):
        if number:
            yield _COMMA
        yield element

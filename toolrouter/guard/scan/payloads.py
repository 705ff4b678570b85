"""Decoders: what an encoded part of a text says once it is read.

Each decoder gets a text and yields `(start, end, decoded)`; the caller reads what comes out with the same rules
as clear text, two layers deep. Work is bounded: so many candidates, so many characters, each in linear time.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from toolrouter.guard.scan.vocabulary import words

MAX_CANDIDATES: Final = 64
MAX_DECODED: Final = 100_000

Decoded = tuple[int, int, str]
Decoder = Callable[[str], Iterator[Decoded]]


@dataclass(frozen=True, slots=True)
class Payload:
    """A decoded part of a text."""

    how: str
    start: int
    end: int
    text: str


_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_BASE64_PARTS: Final = re.compile(
    r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{4,}+={0,2}(?:[\s\"'`,;|.]{1,6}(?:\+[\s\"'`]{1,4})?[A-Za-z0-9+/_-]{4,}+={0,2}){1,2000}+"
)
_GLUE: Final = re.compile(r"[\s\"'`,;|.+]+")
_HEX: Final = re.compile(r"(?:(?:\\x|0x|%|:| )?[0-9A-Fa-f]{2}){12,}")
_BASE32: Final = re.compile(r"[A-Z2-7]{24,}={0,6}")
_PERCENT: Final = re.compile(r"(?:%[0-9A-Fa-f]{2}[^\s%]{0,12}){4,}")
_ESCAPES: Final = re.compile(r"\\u\{?[0-9A-Fa-f]{4,6}\}?|\\x[0-9A-Fa-f]{2}|\\U[0-9A-Fa-f]{8}|U\+[0-9A-Fa-f]{4,6} ?")
_ENTITIES: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,24});")
_CODES: Final = re.compile(r"(?<![\d.])\d{2,3}(?:[, ]{1,2}\d{2,3}){11,}(?![\d.])")
_BINARY: Final = re.compile(r"(?:[01]{8}\s?){6,}")
_SPACED: Final = re.compile(r"(?<!\w)(?:[^\W_][ .\-_*·]{1,2}+){5,}[^\W_](?!\w)")
_BETWEEN: Final = re.compile(r"[ .\-_*·]")
_LEET_WORD: Final = re.compile(r"(?<![A-Za-z0-9@$])[A-Za-z0134578@$]{3,64}+")
_LEET_SIGN: Final = re.compile(r"[A-Za-z][0134578@$][A-Za-z0134578@$]|[0134578@$][A-Za-z]{2}")
_LEET: Final = str.maketrans("0134578@$", "oieastbas")
_MORSE: Final = re.compile(r"(?:[.\-]{1,5}[ /]{1,3}){12,}[.\-]{1,5}")
_WORDS: Final = re.compile(r"[a-z]{3,}")


def _from_leet(word: str) -> str:
    return word.translate(_LEET) if any(char.isalpha() for char in word) else word


@cache
def _telltales(spelling: str) -> frozenset[str]:
    """Return the words that give an order away, as they look in rot13, reversed or as they are."""
    if spelling == "rot13":
        return frozenset(codecs.encode(word, "rot13") for word in words("telltales") if len(word) > 2)
    if spelling == "reversed":
        return frozenset(word[::-1] for word in words("telltales") if len(word) > 3)
    return words("telltales")


def find_payloads(text: str) -> Iterator[Payload]:
    """Yield every part of `text` that decodes to readable text."""
    for how, decoder in _DECODERS:
        for count, (start, end, decoded) in enumerate(decoder(text)):
            if count >= MAX_CANDIDATES:
                break
            yield Payload(how, start, end, decoded[:MAX_DECODED])


def _readable(data: bytes) -> str:
    """Return `data` as text when nearly all of it is text, else the empty string."""
    wide = data.count(0) * 5 >= len(data) * 2
    try:
        text = data.decode("utf-16-le" if wide else "utf-8")
    except UnicodeDecodeError:
        return ""
    shown = sum(char.isprintable() or char in "\n\r\t" or ord(char) > 0x2000 for char in text)
    wordy = sum(char.isalnum() or char == " " for char in text)
    return (
        text
        if len(text) >= 8 and shown >= 0.97 * len(text) and wordy >= (0.5 if text.isascii() else 0.6) * len(text)
        else ""
    )


def _base64(text: str) -> Iterator[Decoded]:
    for match in _BASE64.finditer(text):
        decoded = _from_base64(match[0])
        if decoded:
            yield match.start(), match.end(), decoded
    for match in _BASE64_PARTS.finditer(text):
        parts = _without_words(_GLUE.split(match[0]))
        decoded = _from_base64("".join(parts)) if len(parts) > 1 else ""
        if decoded:
            yield match.start(), match.end(), decoded


def _without_words(parts: list[str]) -> list[str]:
    """Return `parts` from the first to the last that is not an ordinary word."""
    odd = [i for i, part in enumerate(parts) if not (part.isalpha() and (part.islower() or part.istitle()))]
    return parts[odd[0] : odd[-1] + 1] if len(odd) * 2 > len(parts) or len(odd) > 8 else []


def _from_base64(run: str) -> str:
    body = run.replace("=", "").replace("-", "+").replace("_", "/")
    for skip in (0, 1, 2, 3):  # a run may begin with letters that stood before the payload
        candidate = body[skip : skip + (len(body) - skip) // 4 * 4] if (len(body) - skip) % 4 == 1 else body[skip:]
        try:
            decoded = _readable(base64.b64decode(candidate + "=" * (-len(candidate) % 4), validate=True))
        except (binascii.Error, ValueError):
            continue
        if decoded:
            return decoded
    return ""


def _base32(text: str) -> Iterator[Decoded]:
    for match in _BASE32.finditer(text):
        body = match[0].rstrip("=")
        try:
            decoded = _readable(base64.b32decode(body + "=" * (-len(body) % 8)))
        except (binascii.Error, ValueError):
            continue
        if decoded:
            yield match.start(), match.end(), decoded


def _hex(text: str) -> Iterator[Decoded]:
    for match in _HEX.finditer(text):
        digits = re.sub(r"\\x|0x|[%: ]", "", match[0])
        decoded = _readable(bytes.fromhex(digits))
        if decoded:
            yield match.start(), match.end(), decoded


def _percent(text: str) -> Iterator[Decoded]:
    if _PERCENT.search(text):
        yield 0, len(text), urllib.parse.unquote(text, errors="replace")


def _escapes(text: str) -> Iterator[Decoded]:
    if len(_ESCAPES.findall(text)) >= 4:
        yield 0, len(text), _ESCAPES.sub(lambda match: _from_escape(match[0]), text)


def _from_escape(escape: str) -> str:
    code = int(re.sub(r"[^0-9A-Fa-f]", "", escape[2:]), 16)
    return chr(code) if code <= 0x10FFFF else ""


def _entities(text: str) -> Iterator[Decoded]:
    if _ENTITIES.search(text):
        yield 0, len(text), html.unescape(text)


def _codes(text: str) -> Iterator[Decoded]:
    for match in _CODES.finditer(text):
        values = [int(number) for number in re.findall(r"\d+", match[0])]
        if all(value < 256 for value in values):
            decoded = _readable(bytes(values))
            if decoded:
                yield match.start(), match.end(), decoded


def _binary(text: str) -> Iterator[Decoded]:
    for match in _BINARY.finditer(text):
        bits = re.sub(r"\s", "", match[0])
        decoded = _readable(bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits) - 7, 8)))
        if decoded:
            yield match.start(), match.end(), decoded


def _spaced(text: str) -> Iterator[Decoded]:
    if _SPACED.search(text):
        yield 0, len(text), _SPACED.sub(lambda match: _BETWEEN.sub("", match[0]), text)


def _leet(text: str) -> Iterator[Decoded]:
    found = _LEET_SIGN.finditer(text)
    parts = (text[max(0, match.start() - 12) : match.end() + 12] for match in found)
    told = {word.translate(_LEET).lower() for part in parts for word in _LEET_WORD.findall(part) if len(word) >= 4}
    if len(told & _telltales("")) >= 2:
        yield 0, len(text), _LEET_WORD.sub(lambda match: _from_leet(match[0]), text)


def _rot13(text: str) -> Iterator[Decoded]:
    if len(_telltales("rot13").intersection(_WORDS.findall(text.lower()))) >= 3:
        yield 0, len(text), codecs.encode(text, "rot13")


def _reversed(text: str) -> Iterator[Decoded]:
    if len(_telltales("reversed").intersection(_WORDS.findall(text.lower()))) >= 3:
        yield 0, len(text), text[::-1]


_MORSE_LETTERS: Final = (
    ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.."
)
_MORSE_CODE: Final = {code: chr(ord("a") + i) for i, code in enumerate(re.split(" ", _MORSE_LETTERS))}


def _morse(text: str) -> Iterator[Decoded]:
    for match in _MORSE.finditer(text):
        said = re.split(r"\s{0,3}/\s{0,3}|\s{2,3}", match[0])
        yield (
            match.start(),
            match.end(),
            " ".join("".join(_MORSE_CODE.get(c, "") for c in word.split()) for word in said),
        )


_DECODERS: Final[tuple[tuple[str, Decoder], ...]] = (
    ("base64", _base64),
    ("hexadecimal", _hex),
    ("base32", _base32),
    ("percent encoding", _percent),
    ("character escapes", _escapes),
    ("HTML entities", _entities),
    ("character codes", _codes),
    ("binary digits", _binary),
    ("spaced-out letters", _spaced),
    ("digits for letters", _leet),
    ("rot13", _rot13),
    ("reversed text", _reversed),
    ("Morse code", _morse),
)

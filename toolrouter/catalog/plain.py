"""Foreign text made safe to show on one line: what cannot be seen, or reorders what is seen, is left out."""

from __future__ import annotations

import unicodedata
from typing import Final

_UNSEEN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
# Letters and marks by category, yet blank: combining grapheme joiner, Hangul and Khmer fillers.
_UNSEEN: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800")
_READ_AHEAD: Final = 4


def plain(text: str, limit: int) -> str:
    """Returns the visible part of a text as one line of at most `limit` characters, cut at a word where one ends.

    Reads no more than a few times `limit`, however long the text is.
    """
    head = text[: limit * _READ_AHEAD + 1]
    if not (head.isascii() and head.isprintable()):
        head = "".join(_visible(character) for character in head)
    line = " ".join(head.split())
    return line if len(line) <= limit else _cut(line, limit)


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    if character in _UNSEEN or unicodedata.category(character) in _UNSEEN_CATEGORIES or _selects_variant(character):
        return ""
    return character


def _selects_variant(character: str) -> bool:
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"


def _cut(line: str, limit: int) -> str:
    space = line.rfind(" ", limit * 2 // 3, limit + 1)
    return line[: space if space > 0 else limit].rstrip()

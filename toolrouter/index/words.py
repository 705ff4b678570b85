"""Words as the lexical index counts them: one definition for tools and queries.

Any Unicode text is split, accents and case are folded, identifiers fall into their words, scripts without
spaces into pairs of characters, and English endings are cut so that `created`, `creating` and `creation` meet.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_UNSPACED: Final = (
    "\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
)
_WORD = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+")
_ASCII_WORD = re.compile(r"[a-z0-9]+")
_FIRST_UNSPACED: Final = (  # Thai and Lao, Khmer, kana, Han, Hangul
    "\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
)
_ACCENTS = re.compile("[\u0300-\u036f]+")

_STOP_WORDS: Final = """
a about all also am an and any are as at be been but by can could did do does for from get gets give given had has
have he her here him his how i if in into is it its just know let lets like make me my need needs no of off on once
one or our out over please put see shall she should show so some tell than that the their them then there these they
this those to too up us use using want wants was we were what when where which while who whom whose why will with
would you your yours
"""
STOP_WORDS: Final = frozenset(_STOP_WORDS.split())
"""Words that carry a sentence rather than a capability."""


def words(text: str) -> list[str]:
    """Return the stems of a text in order, repeated ones repeated."""
    return [stem(word) for word in unstemmed(text)]


def unstemmed(text: str) -> list[str]:
    """Return the words of a text in order, as they are written but for case and accents."""
    split = _CAMEL.sub(" ", text)
    if split.isascii():
        return _ASCII_WORD.findall(split.lower())
    return [part for word in _WORD.findall(fold(split)) for part in _parts(word)]


def fold(text: str) -> str:
    """Return a text without case and accents."""
    # Folding comes second: compatibility forms of capitals decompose to capitals.
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return unicodedata.normalize("NFC", _ACCENTS.sub("", decomposed))


def _parts(word: str) -> list[str]:
    if word[0] < _FIRST_UNSPACED or len(word) == 1:
        return [word]
    return [word[at : at + 2] for at in range(len(word) - 1)]


class _StemCache(dict[str, str]):
    """Remembers stems; forgets everything when a flood of distinct words would make it large."""

    _LIMIT: Final = 100_000

    def __missing__(self, word: str) -> str:
        if len(self) >= self._LIMIT:
            self.clear()
        found = self[word] = stem_of(word)
        return found


def stem_of(word: str) -> str:
    """Return a lower-case word without its English ending."""
    if len(word) <= 3 or not word.isascii() or not word.isalpha():
        return word
    return _without_final_e(_without_suffix(_without_plural(word)))


def is_plural(word: str) -> bool:
    """Whether a lower-case English word looks like a plural."""
    return len(word) > 3 and word.isascii() and word.isalpha() and _without_plural(word) != word


def _without_plural(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _without_suffix(word: str) -> str:
    if word.endswith("ing") and len(word) > 5:
        return _undoubled(word[:-3])
    if word.endswith("ed") and len(word) > 4 and not word.endswith("eed"):
        return _undoubled(word[:-2])
    if word.endswith("ation") and len(word) > 8:
        return word[:-3]
    if word.endswith(("tion", "sion")) and len(word) > 6:
        return word[:-3]
    if word.endswith("ment") and len(word) > 7:
        return word[:-4]
    return word


def _undoubled(stem: str) -> str:
    if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "aeiouls":
        return stem[:-1]
    return stem


def _without_final_e(word: str) -> str:
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


stem = _StemCache().__getitem__
"""The remembered `stem_of`."""

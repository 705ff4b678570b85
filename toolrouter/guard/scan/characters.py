"""Characters that hide: what does not show, what reorders, what steers a terminal, what only looks Latin.

Some of them belong to honest text: joiners in Persian, Indic scripts and emoji, direction marks beside Hebrew
and Arabic, word spaces in Thai and Khmer, a soft hyphen in a long German word. Each rule names its exceptions.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from toolrouter.guard.scan.confusables import LOOKALIKES, WEAK_LOOKALIKES
from toolrouter.guard.scan.vocabulary import words

_RIGHT_TO_LEFT: Final = frozenset({"R", "AL"})
_UNSPACED_SCRIPTS: Final = frozenset({"THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN", "JAVANESE"})


@dataclass(frozen=True, slots=True)
class HiddenClass:
    """One way to hide text: which characters, where they are honest, from how many on they are near certain."""

    rule: str
    pattern: re.Pattern[str]
    is_honest: Callable[[str, int], bool]
    blocks_from: int
    explanation: str


@dataclass(frozen=True, slots=True)
class Hidden:
    """Characters of one class found in one string."""

    rule: str
    start: int
    end: int
    blocks: bool
    explanation: str


@lru_cache(maxsize=4096)
def script(char: str) -> str:
    """Return the script that `char` names itself after (`LATIN`, `CYRILLIC`), empty for what has no name."""
    return unicodedata.name(char, "").partition(" ")[0]


def _never(_text: str, _at: int) -> bool:
    return False


def _neighbours(text: str, at: int) -> tuple[str, str]:
    return text[at - 1 : at], text[at + 1 : at + 2]


def _joins(text: str, at: int) -> bool:
    before, after = _neighbours(text, at)
    if before and script(before) in words("joined_scripts"):
        return True
    return bool(before and after) and _is_emoji(before) and _is_emoji(after)


def _is_emoji(char: str) -> bool:
    return unicodedata.category(char) in {"So", "Sk"} or char in "\ufe0f\u2640\u2642\u2695" or ord(char) >= 0x1F000


def _marks_direction(text: str, at: int) -> bool:
    """Direction marks are honest near a letter that is written right to left."""
    return any(unicodedata.bidirectional(char) in _RIGHT_TO_LEFT for char in text[max(0, at - 24) : at + 24])


def _parts_words(text: str, at: int) -> bool:
    before, after = _neighbours(text, at)
    return any(script(char) in _UNSPACED_SCRIPTS for char in (before, after) if char)


def _selects_glyph(text: str, at: int) -> bool:
    """One selector after a symbol, a digit key cap or an ideograph picks a glyph; a run of them carries bytes."""
    before = text[at - 1 : at]
    if not before or unicodedata.category(before) == "Mn":
        return False
    if ord(text[at]) >= 0xE0100:
        return script(before) == "CJK"
    return script(before) in {"CJK", "MONGOLIAN", "PHAGS-PA", "MYANMAR"} or (
        not before.isalpha() and not before.isspace()
    )


def _hyphenates(text: str, at: int) -> bool:
    """A soft hyphen is honest deep inside a long word, and rare."""
    before = re.search(r"[^\W\d_]{3,}\Z", text[max(0, at - 20) : at])
    after = re.match(r"[^\W\d_]{3,}", text[at + 1 : at + 20])
    return bool(before and after) and text.count("\u00ad") * 15 <= len(text)


def _is_flag_tag(text: str, at: int) -> bool:
    """The flags of England, Scotland and Wales are a black flag, five tag letters and an end tag."""
    return bool(re.search(r"\U0001F3F4[\U000E0061-\U000E007A]{0,6}\Z", text[max(0, at - 8) : at]))


def _starts_text(_text: str, at: int) -> bool:
    return at == 0


CLASSES: Final = (
    HiddenClass(
        "hidden.tag",
        re.compile("[\U000e0000-\U000e007f]"),
        _is_flag_tag,
        1,
        "Contains Unicode tag characters: text that no person can see and a model reads.",
    ),
    HiddenClass(
        "hidden.bidi",
        re.compile("[\u202a-\u202e]"),
        _never,
        1,
        "Contains characters that turn the reading direction: the text reads otherwise than it is stored.",
    ),
    HiddenClass(
        "hidden.bidi_mark",
        re.compile("[\u200e\u200f\u061c\u2066-\u2069]"),
        _marks_direction,
        2,
        "Contains direction marks where no right-to-left script stands.",
    ),
    HiddenClass(
        "hidden.zero_width",
        re.compile("[\u200c\u200d]"),
        _joins,
        1,
        "Contains zero-width joiners outside the scripts and emoji that need them: invisible text or broken-up words.",
    ),
    HiddenClass(
        "hidden.zero_width",
        re.compile("[\u200b]"),
        _parts_words,
        1,
        "Contains zero-width spaces: invisible text or broken-up words.",
    ),
    HiddenClass(
        "hidden.zero_width",
        re.compile("[\ufeff]"),
        _starts_text,
        1,
        "Contains zero-width no-break spaces: invisible text or broken-up words.",
    ),
    HiddenClass(
        "hidden.invisible",
        re.compile(
            "[\u2060-\u2065\u206a-\u206f\u180e\u034f\ufff9-\ufffb\u115f\u1160\u3164\uffa0\u17b4\u17b5\U0001d173-\U0001d17a]"
        ),
        _never,
        1,
        "Contains invisible format or filler characters.",
    ),
    HiddenClass(
        "hidden.variation_selector",
        re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]"),
        _selects_glyph,
        1,
        "Contains variation selectors that select no glyph: a carrier of hidden bytes.",
    ),
    HiddenClass(
        "hidden.soft_hyphen",
        re.compile("\u00ad"),
        _hyphenates,
        1,
        "Contains soft hyphens that break words up invisibly.",
    ),
    HiddenClass(
        "hidden.private_use",
        re.compile("[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]"),
        _never,
        1,
        "Contains private-use characters: they have no agreed meaning and mostly do not show.",
    ),
    HiddenClass(
        "hidden.control",
        re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]"),
        _never,
        1,
        "Contains control characters: they can rewrite what a terminal shows.",
    ),
    HiddenClass(
        "hidden.blank",
        re.compile("\u2800{2,}"),
        _never,
        1,
        "Contains runs of the blank Braille pattern, which looks like empty space.",
    ),
)
_ANY: Final = re.compile("|".join(hidden.pattern.pattern for hidden in CLASSES))
_PADDING: Final = re.compile(
    r"(?<![ \t\u00a0\u2000-\u200a\u3000])[ \t\u00a0\u2000-\u200a\u3000]{80,}+(?=\S)"
    r"|(?<!\s)(?:[ \t]{0,200}+\r?\n){25,}+(?=[ \t]{0,200}\S)"
)


def find_hidden(text: str) -> Iterator[Hidden]:
    """Yield what hides in one string, one entry for each class."""
    if not text.isascii() or _ANY.search(text):
        for hidden in CLASSES:
            places = [
                match.start() for match in hidden.pattern.finditer(text) if not hidden.is_honest(text, match.start())
            ]
            if places:
                blocks = len(places) >= hidden.blocks_from
                yield Hidden(hidden.rule, places[0], places[0] + 1, blocks, hidden.explanation)
    padding = _PADDING.search(text)
    if padding:
        yield Hidden(
            "hidden.padding",
            padding.end(),
            padding.end() + 1,
            False,
            "Pushes text out of sight with a long run of blanks.",
        )


def reveal(text: str) -> str:
    """Return the text that the hidden characters of `text` spell, empty when they spell none."""
    return "\n".join(found for found in (_tags(text), _selector_bytes(text), _zero_width_bits(text)) if found)


_FLAG: Final = re.compile("\U0001f3f4[\U000e0061-\U000e007a]{2,6}\U000e007f")


def _tags(text: str) -> str:
    return "".join(chr(ord(char) - 0xE0000) for char in _FLAG.sub("", text) if 0xE0020 <= ord(char) <= 0xE007E)


def _selector_bytes(text: str) -> str:
    values = bytearray()
    for char in text:
        if 0xFE00 <= ord(char) <= 0xFE0F:
            values.append(ord(char) - 0xFE00)
        elif 0xE0100 <= ord(char) <= 0xE01EF:
            values.append(ord(char) - 0xE0100 + 16)
    return values.decode("utf-8", "ignore") if len(values) >= 4 else ""


def _zero_width_bits(text: str) -> str:
    marks = [char for char in text if char in "\u200b\u200c\u200d\u2060\ufeff"]
    alphabet = list(dict.fromkeys(marks))
    if len(marks) < 32 or len(alphabet) < 2:
        return ""
    for one in alphabet[:2]:
        bits = "".join("1" if char == one else "0" for char in marks if char in alphabet[:2])
        spelt = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits) - 7, 8)).decode("utf-8", "replace")
        if sum(char.isprintable() and char.isascii() for char in spelt) > 0.9 * len(spelt):
            return spelt
    return ""


_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff9-\ufffb\U000e0000-\U000e01ef\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f-\x9f]"
)
_ANSI: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-9;:?<=>]{0,32}[ -/]{0,4}[@-~]|\x1b\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)?|\x1b[@-_]?"
)


def plain(text: str) -> str:
    """Return `text` as a model may read it: no invisible characters, one alphabet, no styled letters."""
    if text.isascii():
        return _INVISIBLE.sub("", _ANSI.sub("", text)) if _INVISIBLE.search(text) or "\x1b" in text else text
    bare = _INVISIBLE.sub("", _ANSI.sub("", text))
    return skeleton(unicodedata.normalize("NFKC", bare))


def skeleton(text: str) -> str:
    """Return `text` with the letters that only look Latin replaced, in words that mix or fake scripts."""
    if text.isascii():
        return text
    fakes = has_fake_words(text)
    return _WORDS.sub(lambda match: _latinised(match[0], fakes), text)


_WORDS: Final = re.compile(r"[^\W\d_]+")


def _latinised(word: str, fakes: bool) -> str:
    if word.isascii():
        return word
    word = "".join(_small_capital(char) for char in word)
    if any(char.isascii() for char in word) or (fakes and all(char in LOOKALIKES for char in word)):
        return "".join(LOOKALIKES.get(char, char) for char in word)
    return word


@lru_cache(maxsize=4096)
def _small_capital(char: str) -> str:
    if ord(char) < 0x100:
        return char
    name = unicodedata.name(char, "")
    for prefix in (
        "LATIN LETTER SMALL CAPITAL ",
        "MODIFIER LETTER SMALL CAPITAL ",
        "NEGATIVE SQUARED LATIN CAPITAL LETTER ",
    ):
        if name.startswith(prefix) and len(name) == len(prefix) + 1:
            return name[-1].lower()
    return char


def has_fake_words(text: str) -> bool:
    """Whether `text` is Latin but for words made of nothing except letters of other scripts that look Latin."""
    words = _WORDS.findall(text)
    foreign = [word for word in words if not _has_latin(word) and _is_foreign(word)]
    latin = sum(len(word) for word in words if word.isascii())
    if not foreign or latin < 2 * sum(len(word) for word in foreign):
        return False
    return all(char in LOOKALIKES and char not in WEAK_LOOKALIKES for word in foreign for char in word)


def _is_foreign(word: str) -> bool:
    return any(script(char) in {"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU"} for char in word)


def find_mixed_words(text: str) -> list[tuple[int, int]]:
    """Return the spans of words that mix Latin letters with lookalikes of another script, or fake Latin whole."""
    if text.isascii():
        return []
    fakes = has_fake_words(text)
    foreign_text = not fakes and any(_is_foreign(word) for word in _WORDS.findall(text) if not _has_latin(word))
    return [m.span() for m in _WORDS.finditer(text) if not m[0].isascii() and _is_mixed(m[0], fakes, foreign_text)]


def _has_latin(word: str) -> bool:
    return any(char.isascii() for char in word)


def _is_mixed(word: str, fakes: bool, foreign_text: bool) -> bool:
    if not _has_latin(word):
        return fakes and len(word) >= 3 and _is_foreign(word)
    if len(word) < 3 or not any(char in LOOKALIKES and _is_foreign(char) for char in word):
        return False
    if foreign_text and re.fullmatch(r"[A-Za-z]{2,}[^\Wa-zA-Z\d_]{1,4}", word):
        return False  # a Latin abbreviation with a native ending, as in Russian
    return not re.fullmatch(r"[\u0370-\u03ff][A-Za-z]{1,8}", word)  # a Greek symbol with an index, as in physics

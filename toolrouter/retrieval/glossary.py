"""English words for the words of a query in another language, from a glossary inside the package.

Tools describe themselves in English. A gloss is no translation: it adds the English for words such as "delete",
"file" and "customer", beside which product names and numbers speak for themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

from toolrouter.index.words import STOP_WORDS, fold

LANGUAGES: Final = ("es", "de", "fr", "pt", "it", "nl", "pl", "sv", "tr", "ru", "ar", "hi", "zh", "ja", "ko")
COMPOUNDING: Final = frozenset({"de", "nl", "sv"})
MIN_STEM: Final = 4
MIN_TAIL: Final = 5
LONGEST_ENDING: Final = 3
MAX_CHARACTERS: Final = 2_000

_FUNCTION_WORDS: Final = {
    "es": "el los las una del y o con por para sin sobre que qué cómo cuál cuántos nuestra nuestro mi mis este esta "
    "donde al",
    "de": "der das den und oder ein eine einen einem einer mit auf für von zu zum zur im vom ist sind bei nach aus "
    "alle mir meine unsere wie welche wer wo wann dem auch nicht ich wir",
    "fr": "le les du des une et ou avec dans pour sur sans chez mon ma mes nos notre quels quelle quelles qui que est "
    "sont je nous ce cette au aux",
    "pt": "os um uma e ou com em no na nos nas do da dos das para sem sobre que meu minha nosso nossa quais qual quem "
    "ao pelo",
    "it": "il lo gli uno una e o con per nel nella nelle del della delle dei che chi quali quale sono mio mia nostro "
    "nostra questo questa alla dal sul sulla",
    "nl": "het een en of met voor van naar uit bij onze mijn welke wie waar deze dit niet alle ik wij zijn op te",
    "pl": "w na z ze do i oraz lub dla od po przez jest są moje moim nasz nasze jakie które kto gdzie ten nie się",
    "sv": "ett och eller med för från till på av om min mina vår våra vilka vem var den det inte alla jag vi är i",
    "tr": "bir ve veya ile için bu şu hangi kim nerede benim bizim olan tüm mi mi\u0307 nasil nas\u0131l da de",
}
_SCRIPTS: Final = (
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
)
"""In this order: Japanese has Chinese characters too."""
_FILES: Final = ("glossary.txt", "glossary_wider.txt")
"""Of a word on several lines the first one's English counts."""
_UNSPACED: Final = frozenset({"zh", "ja", "ko"})
_WORD = re.compile(r"(?:[^\W\d_]|[\u0900-\u0903\u093a-\u094f\u0962\u0963])+")
"""Devanagari's vowel signs stand inside words, though they are no letters."""


def gloss(query: str) -> str:
    """Return English words for a query in another language that the glossary covers, else nothing."""
    found = [fold(word) for word in _WORD.findall(query[:MAX_CHARACTERS])]
    language = _language(query[:MAX_CHARACTERS], found)
    if not language:
        return ""
    meanings = _glossary()[language]
    known = (meaning for word in found for meaning in _meanings(word, meanings, language))
    return " ".join(dict.fromkeys(known))


def _language(text: str, found: Sequence[str]) -> str:
    for language, letters in _SCRIPTS:
        if letters.search(text):
            return language
    votes = {language: _votes(found, language) for language in _FUNCTION_WORDS}
    best = max(votes, key=lambda language: votes[language])
    english = sum(word in STOP_WORDS for word in found)
    return best if votes[best] > english else ""


def _votes(found: Sequence[str], language: str) -> float:
    meanings = _glossary()[language]
    telling = sum(word in _function_words()[language] for word in found)
    return telling + 0.4 * sum(len(word) >= MIN_STEM and word in meanings for word in found)


@cache
def _function_words() -> Mapping[str, frozenset[str]]:
    """Return the function words of each language but for those that are English words too."""
    return {
        language: frozenset(word for word in map(fold, text.split()) if word not in STOP_WORDS)
        for language, text in _FUNCTION_WORDS.items()
    }


def _meanings(word: str, meanings: Mapping[str, str], language: str) -> Iterator[str]:
    if language in _UNSPACED and not word.isascii():
        yield from _longest_matches(word, meanings)
        return
    for ending in range(LONGEST_ENDING + 1):
        stem = word[: len(word) - ending]
        if stem in meanings and (not ending or len(stem) >= MIN_STEM):
            yield meanings[stem]
            return
    if language in COMPOUNDING:
        tails = (word[at:] for at in range(1, len(word) - MIN_TAIL + 1))
        yield from (meanings[tail] for tail in [next((tail for tail in tails if tail in meanings), "")] if tail)


def _longest_matches(text: str, meanings: Mapping[str, str]) -> Iterator[str]:
    at = 0
    while at < len(text):
        length = next((size for size in range(8, 0, -1) if text[at : at + size] in meanings), 0)
        if length:
            yield meanings[text[at : at + length]]
        at += max(length, 1)


@cache
def _glossary() -> Mapping[str, Mapping[str, str]]:
    """Return word to English meaning for each language; inflected words also without their last letters."""
    found: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
    lines = (line for name in _FILES for line in (files("toolrouter") / "data" / name).read_text("utf-8").splitlines())
    for line in lines:
        if line and not line.startswith("#"):
            meaning, *columns = (column.strip() for column in line.split("|"))
            for language, column in zip(LANGUAGES, columns, strict=False):
                for word in column.split():
                    found[language].setdefault(fold(word), meaning)
    english = {word for meanings in found.values() for meaning in meanings.values() for word in meaning.split()}
    return {
        language: {word: meaning for word, meaning in _with_stems(meanings).items() if word not in english}
        for language, meanings in found.items()
    }


def _with_stems(meanings: Mapping[str, str]) -> Mapping[str, str]:
    stems: dict[str, str] = {}
    for word, meaning in meanings.items():
        for ending in (1, 2):
            if len(word) - ending > MIN_STEM and ord(word[0]) < ord("\u0e00"):
                stems.setdefault(word[: len(word) - ending], meaning)
    return {**stems, **meanings}

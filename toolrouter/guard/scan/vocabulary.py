"""Reads the vocabulary from `toolrouter/data/scan`, at the first scan."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from toolrouter.guard.scan.phrases import Signal, Vocabulary, compiled

_ESCAPE_OR_UPPER: Final = re.compile(r"\\\\.|[A-Z]")
_FRAGMENT: Final = re.compile(r"\{([A-Z]+)\}")
_RUNNING_SCRIPTS: Final = frozenset({"zh", "ja", "ko", "th"})
"""Languages that do not part words by spaces, or add endings and particles to them."""


@cache
def vocabulary() -> Vocabulary:
    """Return every signal of the scanner."""
    english, others = _read("english.toml"), _read("languages.toml")
    signals = {name: _english(entry, english["fragments"]) for name, entry in english["signals"].items()}
    foreign_words = frozenset(others.pop("words").split())
    signals |= {name: _foreign(by_language) for name, by_language in others.items()}
    return Vocabulary(signals, foreign_words)


@cache
def parameter_pattern(name: str) -> re.Pattern[str]:
    """Return a pattern for parameters, to be matched against lower case."""
    return compiled(_in_lower_case(_read("english.toml")["parameters"][name]))


@cache
def words(name: str) -> frozenset[str]:
    """Return one of the word lists."""
    return frozenset(_read("english.toml")["words"][name].split())


@cache
def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files("toolrouter").joinpath("data", "scan", name).read_text(encoding="utf-8"))


def _english(entry: Mapping[str, Any], fragments: Mapping[str, str]) -> Signal:
    source = _FRAGMENT.sub(lambda match: fragments[match[1]], "|".join(entry["any"]))
    exact_case = entry.get("case", False)
    return Signal(
        source=source if exact_case else _in_lower_case(source),
        begins=frozenset(entry.get("begins", "").split()),
        marks=entry.get("marks", ""),
        exact_case=exact_case,
    )


def _foreign(by_language: Mapping[str, str]) -> Signal:
    spaced = [pattern for language, pattern in by_language.items() if language not in _RUNNING_SCRIPTS]
    running = [pattern for language, pattern in by_language.items() if language in _RUNNING_SCRIPTS]
    parts = [r"(?<!\w)(?:" + "|".join(spaced) + ")", *running]
    return Signal(source="|".join(parts), foreign=True)


def _in_lower_case(source: str) -> str:
    return _ESCAPE_OR_UPPER.sub(lambda match: match[0] if match[0][0] == "\\" else match[0].lower(), source)

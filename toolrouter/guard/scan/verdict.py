"""What the scanner answers: a tier, and findings that a person can read safely in a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from toolrouter.types import JsonObject

EXCERPT_CHARS: Final = 160
_ALLOWED: Final = frozenset({"Ll", "Lu", "Lt", "Lm", "Lo", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po"})
_SYMBOLS: Final = frozenset({"Sm", "Sc", "Sk", "So"})
_BLANK_LETTERS: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800\u17b4\u17b5")


class Tier(StrEnum):
    """How loud a verdict is. `block` is near certain; `review` asks a person to look."""

    CLEAN = "clean"
    REVIEW = "review"
    BLOCK = "block"


_RANK: Final = {Tier.CLEAN: 0, Tier.REVIEW: 1, Tier.BLOCK: 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason to look at a definition."""

    rule: str
    tier: Tier
    where: str
    """JSON pointer into the definition that was scanned."""
    excerpt: str
    """The place in question, safe to print: invisible and confusable characters are written out."""
    explanation: str
    """What is wrong with it, for a person, in our own words."""

    def as_json(self) -> JsonObject:
        return {
            "rule": self.rule,
            "tier": self.tier.value,
            "where": self.where,
            "excerpt": self.excerpt,
            "explanation": self.explanation,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """The highest tier of the findings, and the findings: loudest first, then by place."""

    tier: Tier
    findings: tuple[Finding, ...] = ()

    def as_json(self) -> JsonObject:
        return {"tier": self.tier.value, "findings": [finding.as_json() for finding in self.findings]}


def judge(findings: Iterable[Finding]) -> Verdict:
    """Return the verdict over `findings`: each rule once per place, loudest first."""
    unique: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        key = (finding.rule, finding.where)
        if key not in unique or _RANK[finding.tier] > _RANK[unique[key].tier]:
            unique[key] = finding
    ordered = sorted(unique.values(), key=lambda finding: (-_RANK[finding.tier], finding.where, finding.rule))
    return Verdict(ordered[0].tier if ordered else Tier.CLEAN, tuple(ordered))


def make_visible(text: str) -> str:
    r"""Return `text` with every character that does not show, or that steers a terminal, as `\u{XXXX}`."""
    return "".join(char if _shows(char) else _written_out(char) for char in text)


def excerpt(text: str, start: int, end: int) -> str:
    """Return the part of `text` around a match, in one line of at most about `EXCERPT_CHARS` visible characters."""
    room = max(0, EXCERPT_CHARS - (end - start)) // 2
    first, last = max(0, start - room), min(len(text), max(end, start) + room, max(0, start - room) + EXCERPT_CHARS)
    shown = make_visible(" ".join(text[first:last].split(" ")))
    return ("…" if first else "") + shown[: 3 * EXCERPT_CHARS] + ("…" if last < len(text) else "")


def _shows(char: str) -> bool:
    if " " <= char <= "~":
        return True
    category = unicodedata.category(char)
    return (category in _ALLOWED or category in _SYMBOLS) and char not in _BLANK_LETTERS


def _written_out(char: str) -> str:
    if char in "\n\r\t":
        return " "
    if unicodedata.category(char) == "Mn" and not 0xFE00 <= ord(char) <= 0xFE0F and ord(char) < 0xE0000:
        return char
    if unicodedata.category(char) in {"Mc", "Me"}:
        return char
    return f"\\u{{{ord(char):04X}}}"

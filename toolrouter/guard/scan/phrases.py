"""Finds rules in a page: each rule asks for some signals close together.

A signal is a pattern with the words that can begin a match: a page without any of those words is never searched
for it. Patterns hold no unbounded repetition inside another, so that a search is linear in the length of the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from typing import Final

from toolrouter.guard.scan.verdict import Tier

PREFIX_CHARS: Final = 4
REACH_CHARS: Final = 160
"""How far from one of its words a signal reaches at most."""
MAX_SPANS: Final = 400
"""Matches of one signal that are looked at in one page."""

_WORD: Final = re.compile(r"[^\W\d_]+")
_SENTENCE_END: Final = re.compile(r"[.!?:] |[\n。\uff01\uff1f!?।؟]")
_SENTENCE_BREAK: Final = re.compile(r"(?<!e\.g)(?<!i\.e)(?<!etc)[.!?] |\n")
_QUOTED: Final = re.compile(
    r"\"[^\"\n]{1,240}\"|\u201c[^\u201d\n]{1,240}\u201d|`[^`\n]{1,240}`"
    r"|(?<!\w)['\u2018][^'\u2019\n]{1,240}['\u2019](?!\w)"
)
_CLAUSE: Final = re.compile("[;:(!?.\u2013\u2014\uff1a\uff1b\uff08\u3002\u061b] ?\\Z")
_COMMA: Final = re.compile("[,;:(!?.\u2013\u2014\uff0c\uff1a\uff1b\uff08\u3001\u3002\u060c\u061b] ?\\Z")
_OTHER_SCRIPTS: Final = re.compile("[\u0370-\u1fff\u2e80-\uffdc]")
_CONCRETE: Final = ("secret_path", "address", "outside", "in_field", "secrecy", "shell", "privilege", "must")
"""What an order holds that is meant: an example says what is said, not where to put it."""
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing a text may say."""

    source: str
    """A regular expression. Unless `exact_case` it is in lower case, and so is the text it is matched against:
    many times faster than a pattern that ignores case."""
    begins: frozenset[str] = frozenset()
    """The first four letters of the words one of which each match contains; empty to search everywhere."""
    marks: str = ""
    """A regular expression for what to look around for, where a match holds no plain word."""
    exact_case: bool = False
    foreign: bool = False
    """It is in other languages than English: looked for only where there are such."""

    @property
    def pattern(self) -> re.Pattern[str]:
        return compiled(self.source)


@cache
def compiled(source: str) -> re.Pattern[str]:
    """Return a pattern, compiled at its first use: all of them together take a quarter of a second."""
    return re.compile(source)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All signals by name, and how to tell a text that is not in English."""

    signals: Mapping[str, Signal]
    foreign_words: frozenset[str]

    def is_foreign(self, low: str) -> bool:
        """Whether a text in lower case holds another script than Latin, or words of another language."""
        if not low.isascii() and _OTHER_SCRIPTS.search(low):
            return True
        words = _WORD.findall(low)
        return sum(word in self.foreign_words or not word.isascii() for word in words) >= 2


@dataclass(frozen=True, slots=True)
class Rule:
    """Signals that together mean an attack."""

    name: str
    tier: Tier
    needs: tuple[str, ...]
    explanation: str
    within: int = 200
    """How many characters all of them lie in."""
    one_text: bool = False
    """Whether all of them must lie in one string of the definition."""
    one_sentence: bool = False
    """Whether all of them must lie in one sentence."""
    unless: str = ""
    """A signal around the match that makes it harmless, such as one that describes a detector.

    It does not where an order follows it outside of quotes: then a person is to look, whatever the tier."""


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that holds, and where in the page."""

    rule: Rule
    start: int
    end: int


def _lowered(text: str) -> str:
    """Return `text` in lower case at the same length, so that places stay what they are."""
    low = text.lower()
    if len(low) != len(text):
        low = "".join(char.lower() if len(char.lower()) == 1 else char for char in text)
    return low


def index_words(text: str) -> dict[str, list[int]]:
    """Return the places of every word of `text`, which is in lower case, by the first letters of the word."""
    places: dict[str, list[int]] = {}
    for match in _WORD.finditer(text):
        places.setdefault(match[0][:PREFIX_CHARS], []).append(match.start())
    return places


class Reader:
    """One page being read: remembers where each signal was found."""

    def __init__(self, text: str, vocabulary: Vocabulary, given: Mapping[str, list[Span]] | None = None) -> None:
        self._text = text
        self._signals = vocabulary.signals
        self._low = _lowered(text)
        self._words = index_words(self._low)
        self._is_foreign = vocabulary.is_foreign(self._low)
        self._spans: dict[str, list[Span]] = dict(given or {})
        self._meant: list[Span] | None = None
        self.is_flooded = False
        """Whether something was said so often that what comes after was not looked at."""

    def spans(self, name: str) -> list[Span]:
        """Return where a signal stands, in order. Names that no vocabulary defines are found nowhere."""
        if name not in self._spans:
            found = self._signals.get(name)
            self._spans[name] = self._search(found) if found and self._may_hold(name) else []
        return self._spans[name]

    def matches(self, rules: Iterable[Rule]) -> Iterator[Match]:
        """Yield the first match of every rule that holds."""
        for rule in rules:
            doubtful: Match | None = None
            for start, end in self._windows(rule):
                if not self._holds(rule, start, end):
                    continue
                excused_at = self._excused_at(rule.unless, start, end) if rule.unless else None
                if excused_at is None:
                    doubtful = Match(rule, start, end)
                    break
                if doubtful is None and self._is_told(rule.unless, min(excused_at, start), start, end):
                    doubtful = Match(replace(rule, tier=Tier.REVIEW), start, end)
            if doubtful:
                yield doubtful

    def _holds(self, rule: Rule, start: int, end: int) -> bool:
        if rule.one_text and "\n" in self._text[start:end]:
            return False
        return not (rule.one_sentence and _SENTENCE_END.search(self._text, start, end))

    def heaviest(self, weights: Mapping[str, float], within: int, least: float) -> tuple[float, int, int] | None:
        """Return weight, start and end of the passage that holds the most small signs, None below `least`."""
        possible = {name: weight for name, weight in weights.items() if self._may_hold(name)}
        reachable = sum(possible.values())
        for name in sorted(possible, key=lambda name: -possible[name]):
            if reachable < least:
                return None
            reachable -= 0.0 if self.spans(name) else possible[name]
        spans = sorted((start, end, name) for name in possible for start, end in self.spans(name))
        best = _heaviest(spans, weights, within)
        return best if best[0] >= least else None

    def _may_hold(self, name: str) -> bool:
        """Whether a signal is still possible, at the price of looking its words up."""
        if name in self._spans:
            return bool(self._spans[name])
        found = self._signals.get(name)
        if found is None:
            return False
        if found.foreign:
            return self._is_foreign
        if found.marks or not found.begins:
            return True
        return not found.begins.isdisjoint(self._words)

    def _search(self, found: Signal) -> list[Span]:
        spans: list[Span] = []
        for first, last in self._regions(found):
            for match in found.pattern.finditer(self._text if found.exact_case else self._low, first, last):
                spans.append(match.span())
                if len(spans) >= MAX_SPANS:
                    self.is_flooded = True
                    return spans
        return spans

    def _regions(self, found: Signal) -> Iterator[Span]:
        """Yield the parts of the text in which the signal can stand: around its words, without overlap."""
        if found.marks:
            yield from self._around([match.start() for match in compiled(found.marks).finditer(self._low)])
        elif found.foreign or not found.begins:
            yield 0, len(self._text)
        else:
            yield from self._around(
                sorted(at for word in found.begins & self._words.keys() for at in self._words[word])
            )

    def _around(self, places: Iterable[int]) -> Iterator[Span]:
        first = last = -1
        for at in places:
            if at - REACH_CHARS > last:
                if last >= 0:
                    yield first, last
                first = max(0, at - REACH_CHARS)
            last = min(len(self._text), at + REACH_CHARS)
        if last >= 0:
            yield first, last

    def _windows(self, rule: Rule) -> Iterator[Span]:
        if not all(self._may_hold(name) for name in rule.needs):
            return
        every: list[list[Span]] = []
        for name in rule.needs:
            spans = self.spans(name)
            if not spans:
                return
            every.append(spans)
        if len(every) == 1:
            yield from every[0]
        else:
            yield from _close_together(every, rule.within)

    def _excused_at(self, name: str, start: int, end: int) -> int | None:
        """Where a signal stands in the same sentence as the match, before it or in it; None where it does not."""
        first = max(0, start - 240)
        before = max((mark.start() for mark in _SENTENCE_BREAK.finditer(self._text, first, start)), default=first)
        return next((at for at, _ in self.spans(name) if before <= at < end), None)

    def _is_told(self, excuse: str, first: int, start: int, end: int) -> bool:
        """Whether an excused match is an order all the same."""
        if not self._signals[excuse].foreign:
            return self._orders(first, end)
        # Verbs give no hint in every language, but nobody says "detects: ignore this" or "for example, ignore this".
        beside = any(0 < start - last <= 2 for _, last in self.spans(excuse))
        return start > 0 and bool((_COMMA if beside else _CLAUSE).search(self._text, max(0, start - 2), start))

    def _orders(self, start: int, end: int) -> bool:
        """Whether somebody is told to do something there, and not in quotes or in an example that is labelled so."""
        if self._meant is None:
            quotes = islice(_QUOTED.finditer(self._low), MAX_SPANS)
            said = [*(match.span() for match in quotes), *self._examples()]
            orders = self.spans("order")
            self._meant = [(at, last) for at, last in orders if not any(a < last <= b for a, b in said)]
        return any(at < end and start < last for at, last in self._meant)

    def _examples(self) -> Iterator[Span]:
        """The rest of the sentence behind a label and an order, where it names neither a place nor a thing to take."""
        begun = {at for at, _ in self.spans("order")}
        for _, colon in self.spans("label"):
            if colon - 1 in begun:
                ended = _SENTENCE_BREAK.search(self._text, colon)
                close = ended.start() if ended else len(self._text)
                named = (at for name in _CONCRETE for at, _ in self.spans(name))
                if "`" not in self._text[colon:close] and not any(colon <= at < close for at in named):
                    yield colon, close


def _close_together(every: list[list[Span]], within: int) -> Iterator[Span]:
    """Yield windows that hold one span of each list, by one merge over all of them."""
    merged = sorted((span, kind) for kind, spans in enumerate(every) for span in spans)
    latest: dict[int, Span] = {}
    for span, kind in merged:
        latest[kind] = span
        if len(latest) == len(every):
            start, end = min(s for s, _ in latest.values()), max(e for _, e in latest.values())
            if end - start <= within:
                yield start, end


def _heaviest(spans: list[tuple[int, int, str]], weights: Mapping[str, float], within: int) -> tuple[float, int, int]:
    """Return the weight and place of the passage with the heaviest set of distinct signals."""
    best = (0.0, 0, 0)
    count: dict[str, int] = {}
    total = 0.0
    first = 0
    for start, end, name in spans:
        count[name] = count.get(name, 0) + 1
        total += weights[name] if count[name] == 1 else 0.0
        while start - spans[first][0] > within:
            gone = spans[first][2]
            count[gone] -= 1
            total -= weights[gone] if count[gone] == 0 else 0.0
            first += 1
        if total > best[0] + 1e-9:
            best = (total, spans[first][0], end)
    return best

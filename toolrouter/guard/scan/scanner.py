"""Puts the parts together: one definition in, one verdict out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from toolrouter.guard.fingerprint import fingerprint
from toolrouter.guard.scan.characters import find_hidden, find_mixed_words, plain, reveal
from toolrouter.guard.scan.context import ScanContext, find_clone, find_mentions, normal_name
from toolrouter.guard.scan.parameters import find_carriers
from toolrouter.guard.scan.payloads import find_payloads
from toolrouter.guard.scan.phrases import Match, Reader, Rule
from toolrouter.guard.scan.rules import (
    COMMENT_RULES,
    DECODED_RULES,
    LANGUAGE_RULES,
    RULES,
    SUSPICION_CHARS,
    SUSPICION_REVIEW,
    WEIGHTS,
)
from toolrouter.guard.scan.texts import Page, Text, Walk, lay_out, walk
from toolrouter.guard.scan.verdict import Finding, Tier, Verdict, excerpt, judge
from toolrouter.guard.scan.vocabulary import vocabulary
from toolrouter.types import JsonObject, Tool, ToolId

SCANNER_VERSION: Final = 3
"""Raised whenever a definition may get another verdict: part of every cache key."""

Cache = MutableMapping[tuple[str, str], Verdict]
"""(definition hash, context key) to verdict."""

DOUBLE_ENCODED: Final = 2
MAX_COMMENTS: Final = 64
_LINK: Final = re.compile(r"!?\[[^\]\n]{0,200}\]\(\s?((?:https?:)?//[^)\n]{0,600})\)", re.IGNORECASE)
_TO_BE_FILLED: Final = re.compile(r"\{|\$|%7[bB]|<|[=/][A-Z]{2,20}(?:_[A-Z]{2,20}){1,5}")
_REFERENCE_COMMENT: Final = re.compile(r"\[(?://|comment|_)\]: ?#? ?([^\n]{0,2000})")


@dataclass(frozen=True, slots=True)
class _Subject:
    """The definition being scanned, and what its texts may rightly name."""

    server: str
    kind: str
    context: ScanContext
    texts: tuple[Text, ...]
    own: frozenset[str]


def scan_definition(raw: JsonObject, *, server: str, kind: str = "tool", context: ScanContext) -> Verdict:
    """Return the verdict on one definition of `server`: a tool, prompt, resource or template, as it arrived.

    Never raises for anything JSON can hold. The cost is linear in the size of the definition and bounded: text
    beyond the first 200,000 characters is searched for hidden characters only, and that is itself a finding.
    """
    walked = walk(raw)
    subject = _Subject(server, kind, context, walked.texts, _own_names(walked))
    return judge(_find(raw, walked, subject))


def scan_tools(tools: Iterable[Tool], *, context: ScanContext, cache: Cache | None = None) -> dict[ToolId, Verdict]:
    """Return the verdict on each tool. With a `cache` that knows a definition in this context nothing is scanned."""
    return {tool.id: _cached(tool.raw, tool.server, "tool", context, cache, tool.hash) for tool in tools}


def cache_key(
    raw: JsonObject, *, server: str, kind: str, context: ScanContext, definition_hash: str = ""
) -> tuple[str, str]:
    """Return the key of a verdict: what was scanned, and everything else that it depends on."""
    known = definition_hash or fingerprint(raw)
    return known, f"{SCANNER_VERSION}:{kind}:{server}:{context.key}"


def _cached(
    raw: JsonObject, server: str, kind: str, context: ScanContext, cache: Cache | None, definition_hash: str = ""
) -> Verdict:
    if cache is None:
        return scan_definition(raw, server=server, kind=kind, context=context)
    key = cache_key(raw, server=server, kind=kind, context=context, definition_hash=definition_hash)
    if key not in cache:
        cache[key] = scan_definition(raw, server=server, kind=kind, context=context)
    return cache[key]


def _own_names(walked: Walk) -> frozenset[str]:
    """Return the names a definition brings along: its own, its parameters', its values'."""
    short = (text.value for text in walked.texts if len(text.value) <= 64 and " " not in text.value)
    return frozenset(normal_name(value) for value in short)


def _find(raw: JsonObject, walked: Walk, subject: _Subject) -> Iterator[Finding]:
    page = lay_out(walked.texts)
    if page.cut or not walked.complete:
        yield Finding("size", Tier.REVIEW, "", "", "Is too large to be read whole.")
    yield from _find_characters(subject)
    clear = list(_read(page.text, page, subject, RULES))
    yield from clear
    yield from _find_disguised(page, subject, {finding.rule for finding in clear})
    yield from _find_parameters(raw, subject)
    clone = find_clone(raw, subject.server, subject.context) if subject.kind == "tool" else None
    if clone:
        why = f"Nearly equals the tool {clone.name!r} of the server {clone.server!r}: it could take its calls."
        yield Finding("shadow.clone", Tier.REVIEW, "/name", excerpt(str(raw["name"]), 0, 0), why)


def _find_characters(subject: _Subject) -> Iterator[Finding]:
    for text in subject.texts:
        for hidden in find_hidden(text.value):
            shown = excerpt(text.value, hidden.start, hidden.end)
            yield Finding(
                hidden.rule, Tier.BLOCK if hidden.blocks else Tier.REVIEW, text.where, shown, hidden.explanation
            )
        mixed = find_mixed_words(text.value)
        if mixed:
            start, end = mixed[0]
            tier = Tier.BLOCK if len(mixed) > 1 or text.where == "/name" or text.is_key else Tier.REVIEW
            why = "Spells words with letters of another script that look Latin."
            yield Finding("hidden.homoglyph", tier, text.where, _spelt_out(text.value, start, end), why)


def _spelt_out(text: str, start: int, end: int) -> str:
    word = "".join(char if char.isascii() else f"\\u{{{ord(char):04X}}}" for char in text[start:end])
    return excerpt(text[:start] + word + text[end:], start, start + len(word))


def _read(text: str, page: Page | None, subject: _Subject, rules: Iterable[Rule], where: str = "") -> Iterator[Finding]:
    """Yield what the rules find in `text`, which is `page`'s own text or decoded from the place `where`."""
    mentions = find_mentions(text, server=subject.server, own=subject.own, context=subject.context)
    reader = Reader(text, vocabulary(), mentions)
    for match in (*reader.matches(rules), *reader.matches(LANGUAGE_RULES)):
        yield _finding(match, text, page, where)
    passage = reader.heaviest(WEIGHTS, SUSPICION_CHARS, SUSPICION_REVIEW)
    if passage:
        _, start, end = passage
        place = page.where(start) if page else where
        why = "Holds several small signs of an order to the model, none of them decisive."
        yield Finding("suspicion", Tier.REVIEW, place, excerpt(text, start, end), why)
    if reader.is_flooded:
        yield Finding("size", Tier.REVIEW, where, "", "Repeats itself so often that it was not read to its end.")
    for link in _LINK.finditer(text):
        if _TO_BE_FILLED.search(link[1]):
            place = page.where(link.start()) if page else where
            why = "Shows a link or picture whose address is to be filled with data."
            yield Finding("exfiltration.link", Tier.REVIEW, place, excerpt(text, *link.span()), why)


def _finding(match: Match, text: str, page: Page | None, where: str) -> Finding:
    place = page.where(match.start) if page else where
    return Finding(
        match.rule.name, match.rule.tier, place, excerpt(text, match.start, match.end), match.rule.explanation
    )


def _find_disguised(page: Page, subject: _Subject, known: set[str]) -> Iterator[Finding]:
    """Yield what shows only once the page is decoded. Whoever hides an order means it: the tier is block."""
    for start, inside in islice(_comments(page.text), MAX_COMMENTS):
        yield from _uncovered("a comment", inside, page.where(start), subject, set())
        for said in Reader(inside, vocabulary()).matches(COMMENT_RULES):
            yield _finding(said, inside, None, page.where(start))
    bare = plain(page.text)
    if bare != page.text:
        yield from _uncovered("lookalike or invisible characters", bare, "", subject, known)
    for text in subject.texts:
        told = reveal(text.value) if not text.value.isascii() else ""
        if told:
            yield Finding(
                "hidden.message",
                Tier.BLOCK,
                text.where,
                excerpt(told, 0, 0),
                "Spells a message in invisible characters.",
            )
            yield from _uncovered("invisible characters", told, text.where, subject, set())
    yield from _find_encoded(bare, page, subject, known, DOUBLE_ENCODED)


def _comments(text: str) -> Iterator[tuple[int, str]]:
    """Yield the comments of HTML and Markdown: they reach the model, but no person who reads the rendered text."""
    end = 0
    while (start := text.find("<!--", end)) >= 0:
        closing = text.find("-->", start + 4)
        end = closing if closing >= 0 else len(text)
        yield start, text[start + 4 : end]
    for match in _REFERENCE_COMMENT.finditer(text):
        yield match.start(), match[1]


def _find_encoded(text: str, page: Page, subject: _Subject, known: set[str], layers: int) -> Iterator[Finding]:
    for payload in find_payloads(text):
        where = page.where(payload.start) if page.text == text else ""
        whole = payload.end - payload.start == len(text)
        inner = plain(payload.text)
        yield from _uncovered(payload.how, inner, where, subject, known if whole else set())
        if layers > 1 and inner != text:
            yield from _find_encoded(inner, page, subject, known, layers - 1)


def _uncovered(how: str, text: str, where: str, subject: _Subject, known: set[str]) -> Iterator[Finding]:
    for finding in _read(text, None, subject, (*RULES, *DECODED_RULES), where):
        if finding.rule not in known:
            why = f"Hidden as {how}. {finding.explanation}"
            yield replace(finding, rule=f"disguised.{finding.rule}", tier=Tier.BLOCK, explanation=why)


def _find_parameters(raw: JsonObject, subject: _Subject) -> Iterator[Finding]:
    said = [raw.get(key) for key in ("name", "title", "description")]
    first = [re.split(r"[.\n] ?", part, maxsplit=1)[0][:400] for part in said if isinstance(part, str)]
    own_words = " ".join(f"{normal_name(part).replace('_', ' ')} {part}" for part in first)
    for carrier in find_carriers(subject.texts, own_words):
        why = (
            "Asks for something that this tool does not need and that should not leave the conversation or the machine."
        )
        yield Finding(carrier.rule, Tier.REVIEW, carrier.where, excerpt(carrier.value, 0, 0), why)

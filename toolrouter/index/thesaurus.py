"""What else people call the things that tools are about, from a thesaurus inside the package.

A tool that says `merge request` is asked for as a code change to be reviewed, one of Jira's as a ticket. The words on
the right of an entry become a lexical field of every tool that has a term on its left; how much such a word counts is
fitted with the rest of the fusion.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

from toolrouter.index.words import words

HEAD_CHARACTERS: Final = 200
"""How much of a description is read: its first sentence within so many characters."""
MOST_WORDS: Final = 64
_SENTENCE_END = re.compile(r"(?<=[.!?])\s")

Terms = Mapping[str, Sequence[tuple[list[str], str]]]


def related_words(fields: Mapping[str, str]) -> str:
    """Return what a tool with these lexical fields is also known by, what its name says first; often nothing."""
    head = _SENTENCE_END.split(fields.get("description", "")[:HEAD_CHARACTERS], maxsplit=1)[0]
    found: dict[str, None] = {}
    for text in (fields.get("name", ""), fields.get("server", ""), head):
        for entry in _entries_in(words(text), _terms()):
            found.update(dict.fromkeys(entry.split()))
    return " ".join(list(found)[:MOST_WORDS])


def _entries_in(stems: list[str], terms: Terms) -> list[str]:
    """Return the entries of the terms that occur, longer terms first: they say more."""
    found = [
        (-len(term), at, entry)
        for at, first in enumerate(stems)
        for term, entry in terms.get(first, ())
        if stems[at : at + len(term)] == term
    ]
    return [entry for _, _, entry in sorted(found)]


@cache
def _terms() -> Terms:
    text = (files("toolrouter") / "data" / "thesaurus.txt").read_text(encoding="utf-8")
    return parse_thesaurus(text)


def parse_thesaurus(text: str) -> Terms:
    """Return the terms, as stems, by their first stem, with the related words of all lines that a term is on."""
    entries: dict[tuple[str, ...], str] = {}
    for line in text.splitlines():
        left, separator, right = line.partition(" = ")
        if separator and not line.startswith("#"):
            related = " ".join(right.replace(",", " ").split())
            for term in left.split(";"):
                key = tuple(words(term))
                entries[key] = f"{entries[key]} {related}" if key in entries else related
    found: dict[str, list[tuple[list[str], str]]] = defaultdict(list)
    for key, related in entries.items():
        found[key[0]].append((list(key), related))
    return found

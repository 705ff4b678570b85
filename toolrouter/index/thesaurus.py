"""What else people call the things that tools are about, from a thesaurus inside the package.

A tool that says `merge request` is asked for as a code change to be reviewed, one of Jira's as a ticket. The words on
the right of an entry become a lexical field of every tool that has a term on its left; how much such a word counts is
fitted with the rest of the fusion.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

from toolrouter.index.words import words

HEAD_CHARACTERS: Final = 200
"""How much of a description is read: its first sentence within so many characters, and the next after a mere label."""
MOST_WORDS: Final = 64
MOST_STEMS: Final = 5
"""Of a term; a longer one is never found."""
_SENTENCE_END = re.compile(r"(?<=[.!?])\s")

Terms = Mapping[tuple[str, ...], str]
"""The related words of each term, which is given as stems."""


def related_words(fields: Mapping[str, str]) -> str:
    """Return what a tool with these lexical fields is also known by, what its name says first; often nothing."""
    sentences = _SENTENCE_END.split(fields.get("description", "")[:HEAD_CHARACTERS], maxsplit=2)
    # "Read-only." says nothing of what is read.
    head = " ".join(sentences[: 1 if " " in sentences[0].strip() else 2])
    found: dict[str, None] = {}
    for text in (fields.get("name", ""), fields.get("server", ""), head):
        for entry in _entries_in(words(text), _terms()):
            found.update(dict.fromkeys(entry.split()))
    return " ".join(list(found)[:MOST_WORDS])


def _entries_in(stems: Sequence[str], terms: Terms) -> list[str]:
    """Return the entries of the terms that occur, longer terms first: they say more."""
    runs = (
        tuple(stems[at : at + length]) for length in range(MOST_STEMS, 0, -1) for at in range(len(stems) - length + 1)
    )
    return [terms[run] for run in runs if run in terms]


@cache
def _terms() -> Terms:
    text = (files("toolrouter") / "data" / "thesaurus.txt").read_text(encoding="utf-8")
    return parse_thesaurus(text)


def parse_thesaurus(text: str) -> Terms:
    """Return every term with the related words of all lines that it is on."""
    entries: dict[tuple[str, ...], str] = {}
    for line in text.splitlines():
        left, separator, right = line.partition(" = ")
        if separator and not line.startswith("#"):
            related = " ".join(right.replace(",", " ").split())
            for term in left.split(";"):
                key = tuple(words(term))
                entries[key] = f"{entries[key]} {related}" if key in entries else related
    return entries

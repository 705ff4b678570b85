"""What else people call the things that tools are about, from a thesaurus inside the package.

A tool that says `merge request` is asked for as a code change to be reviewed, one of Jira's as a ticket. What is on the
right of a line is said of every tool that has a term on its left: its words are a lexical field of the tool, and the
line as a whole lies as near to a query as its vector does (`related.py`). What both count is fitted with the fusion.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Thesaurus:
    lines: tuple[str, ...]
    """The right sides, as they are written."""
    terms_of: tuple[str, ...]
    """The left side of each line."""
    terms: Mapping[tuple[str, ...], Sequence[int]]
    """The lines of each term on a left side, which is given as stems."""


@cache
def thesaurus() -> Thesaurus:
    """Return the thesaurus inside the package."""
    return parse_thesaurus((files("toolrouter") / "data" / "thesaurus.txt").read_text(encoding="utf-8"))


def parse_thesaurus(text: str) -> Thesaurus:
    lines: list[str] = []
    terms_of: list[str] = []
    terms: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for line in text.splitlines():
        left, separator, right = line.partition(" = ")
        if separator and not line.startswith("#"):
            for term in dict.fromkeys(tuple(words(term)) for term in left.split(";")):
                terms[term].append(len(lines))
            lines.append(right.strip())
            terms_of.append(left.strip())
    return Thesaurus(tuple(lines), tuple(terms_of), dict(terms))


def lines_about(fields: Mapping[str, str]) -> list[int]:
    """Return the lines about a tool with these lexical fields, what its name says first, longer terms before others."""
    sentences = _SENTENCE_END.split(fields.get("description", "")[:HEAD_CHARACTERS], maxsplit=2)
    # "Read-only." says nothing of what is read.
    head = " ".join(sentences[: 1 if " " in sentences[0].strip() else 2])
    texts = (fields.get("name", ""), fields.get("server", ""), head)
    return list(dict.fromkeys(line for text in texts for line in _lines_in(words(text), thesaurus().terms)))


def _lines_in(stems: Sequence[str], terms: Mapping[tuple[str, ...], Sequence[int]]) -> Iterator[int]:
    for length in range(MOST_STEMS, 0, -1):
        for at in range(len(stems) - length + 1):
            yield from terms.get(tuple(stems[at : at + length]), ())


def related_words(lines: Sequence[int]) -> str:
    """Return the distinct words of some lines, in order and as many as count."""
    every = (word for line in lines for word in thesaurus().lines[line].replace(",", " ").split())
    return " ".join(list(dict.fromkeys(every))[:MOST_WORDS])

"""Products and services that a query names: where none of the tools knows one, it may be meant for other tools."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Final

MOST_WORDS: Final = 4
"""Of a name."""
MAX_WORDS: Final = 300
"""Of a query that are looked at."""
_WORD = re.compile(r"\w+")


def products_in(text: str) -> list[str]:
    """Return the names of products in a text, as their makers write them; of overlapping ones the longest."""
    written = _WORD.findall(text)[:MAX_WORDS]
    plain = [word.casefold() for word in written]
    found: list[str] = []
    at = 0
    while at < len(plain):
        key = _longest(plain[at : at + MOST_WORDS], capital=at > 0 and written[at][0].isupper())
        if key:
            found.append(products()[key][0])
        at += max(len(key), 1)
    return found


def _longest(words: Sequence[str], *, capital: bool) -> tuple[str, ...]:
    """Return the longest name that the words begin with; everyday words are one with a capital letter alone."""
    for length in range(len(words), 0, -1):
        key = tuple(words[:length])
        if key in products() and (capital or not products()[key][1]):
            return key
    return ()


@cache
def products() -> dict[tuple[str, ...], tuple[str, bool]]:
    """Return the names in `toolrouter/data/products.txt`, each with whether it is an everyday word, by their words."""
    text = (files("toolrouter") / "data" / "products.txt").read_text(encoding="utf-8")
    found: dict[tuple[str, ...], tuple[str, bool]] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            names = map(str.strip, line.removeprefix("^").split(","))
            found |= {tuple(_WORD.findall(name.casefold())): (name, line.startswith("^")) for name in names if name}
    return found

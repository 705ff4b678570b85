"""Reads the data sets and turns them into training examples.

A set is a folder with `tools.jsonl` and `queries.jsonl`. An example is one query with the tools that
serve it; tools are grouped by server, since a server's other tools are the negatives that matter.
"""

import json
import random
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolrouter.catalog.text import split_name, tool_text

_WORDS = re.compile(r"[a-z0-9]+")
_SENTENCE = re.compile(r"(?<=[.!?])\s")
TWIN_JACCARD = 0.6
_SERVER_WORDS = frozenset(("mcp", "server", "toolsdk", "api", "io", "com"))
QUERIES = Path(__file__).with_name("queries.jsonl")
HELD_OUT_PERCENT = 35
"""Of the servers whose tools `queries.jsonl` asks for."""


@dataclass(frozen=True, slots=True)
class Tool:
    id: str
    server: str
    name: str
    text: str
    """The tool text."""
    description: str
    words: frozenset[str]
    """Words of name and description, for telling twins."""


@dataclass(frozen=True, slots=True)
class Example:
    query: str
    relevant: tuple[str, ...]
    """Tool ids; empty when nothing serves the query."""
    kind: str


@dataclass(slots=True)
class Corpus:
    tools: dict[str, Tool] = field(default_factory=dict)
    examples: dict[str, list[Example]] = field(default_factory=lambda: defaultdict(list))
    """By the id of the first relevant tool."""
    unanswerable: list[Example] = field(default_factory=list)
    switch: "CodeSwitch | None" = None

    def add(self, tools: Iterable[Tool], examples: Iterable[Example]) -> None:
        self.tools.update({tool.id: tool for tool in tools})
        for example in examples:
            if example.relevant:
                self.examples[example.relevant[0]].append(example)
            else:
                self.unanswerable.append(example)


def read_tools(folder: Path) -> list[Tool]:
    return [make_tool(row) for row in _rows(folder / "tools.jsonl")]


def make_tool(row: Mapping[str, Any]) -> Tool:
    description = row.get("description") or ""
    text = tool_text(
        server=row["server"], name=row["name"], description=description, input_schema=row.get("input_schema")
    )
    words = frozenset(_WORDS.findall(f"{split_name(row['name'])} {description[:300].lower()}"))
    return Tool(row["id"], row["server"], row["name"], text, description, words)


def read_examples(path: Path, default_kind: str = "task") -> list[Example]:
    return [Example(row["query"], tuple(row["relevant"]), row.get("kind", default_kind)) for row in _rows(path)]


def is_held_out(server: str) -> bool:
    """Whether the queries of `queries.jsonl` for this server's tools are kept from the model, to fit the fusion on."""
    return zlib.crc32(server.encode()) % 100 < HELD_OUT_PERCENT


def are_twins(one: Tool, other: Tool) -> bool:
    """Whether the two tools would serve the same queries, so that neither is a negative of the other's queries."""
    if one.id == other.id:
        return True
    shared = len(one.words & other.words) / max(1, len(one.words | other.words))
    same_name = split_name(one.name) == split_name(other.name)
    return shared >= (TWIN_JACCARD / 2 if same_name and one.server != other.server else TWIN_JACCARD + 0.25)


def self_supervised(tool: Tool, rng: random.Random) -> Example:
    """Make a query of a tool's own words: a sentence of its description, or its name as somebody remembers it."""
    sentences = [part for part in _SENTENCE.split(tool.description) if 12 <= len(part) <= 160]
    if sentences and rng.random() < 0.6:
        return Example(rng.choice(sentences[:3]), (tool.id,), "sentence")
    return Example(name_query(tool, rng), (tool.id,), "name")


def name_query(tool: Tool, rng: random.Random) -> str:
    words = split_name(tool.name).split()
    server = split_name(tool.server).replace("mcp", "").replace("server", "").split()
    rng.shuffle(words)
    return misspell(" ".join(server[-1:] * (rng.random() < 0.6) + words[:4]), rng, rate=0.5)


def phrase(tool: Tool, rng: random.Random) -> str:
    """Ask for a tool in the words of its name, as somebody does who knows the product; mostly naming it."""
    words = split_name(tool.name).split()
    server = [word for word in split_name(tool.server).split() if word not in _SERVER_WORDS][-2:]
    product = " ".join(server)
    words = [word for word in words if word not in server] or words
    if len(words) > 2 and rng.random() < 0.3:
        words = [*words[1:], words[0]] if rng.random() < 0.5 else words[1:]
    elif len(words) > 1 and rng.random() < 0.5:
        words = [words[0], rng.choice(("a", "the", "my")), *words[1:]]
    text = " ".join(words)
    return rng.choice((f"{product} {text}", f"{text} in {product}", f"{text} with {product}", text)).strip()


def misspell(text: str, rng: random.Random, rate: float = 0.4) -> str:
    """Misspell or abbreviate some of the words as a hurried typist does."""
    return " ".join(_misspelt(word, rng) if len(word) > 3 and rng.random() < rate else word for word in text.split())


class CodeSwitch:
    """Swaps the words of a query that a glossary knows for those of one other language."""

    def __init__(self, entries: Iterable[tuple[str, str, str]]) -> None:
        """Take (language, word, English meaning) entries."""
        self._words: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for language, word, meaning in entries:
            for english in meaning.split():
                self._words[language][english].append(word)
        self._languages = sorted(self._words)

    def __call__(self, query: str, rng: random.Random) -> str:
        words = self._words[rng.choice(self._languages)]
        return " ".join(self._swapped(word, words, rng) for word in query.split())

    @staticmethod
    def _swapped(word: str, words: Mapping[str, list[str]], rng: random.Random) -> str:
        base = word.lower().strip(".,?!")
        forms = words.get(base) or words.get(base.removesuffix("s"))
        return rng.choice(forms) if forms and rng.random() < 0.85 else word


def _misspelt(word: str, rng: random.Random) -> str:
    position = rng.randrange(1, len(word) - 1)
    before, here, after = word[:position], word[position], word[position + 1 :]
    forms = (
        before + after,
        before + after[:1] + here + after[1:],
        before + here + here + after,
        before + rng.choice("etaoinshr") + after,
        word[0] + re.sub("[aeiou]", "", word[1:]),
    )
    return rng.choice(forms)


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]

"""What the scanner knows of the whole catalog: who has which tool, and what each tool says.

A verdict depends on it, so a verdict is kept under the definition's hash *and* this context's key.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from toolrouter.guard.scan.characters import plain
from toolrouter.guard.scan.phrases import Span
from toolrouter.guard.scan.vocabulary import words
from toolrouter.types import JsonObject, Tool

COMMON_FROM: Final = 4
"""A name that so many servers use belongs to none of them."""
CLONE_SIMILARITY: Final = 0.75
SIBLING_TOOLS: Final = 3
"""Two servers that share so many equal tools are the same software twice, not a clone of one tool."""

_IDENTIFIER: Final = re.compile(
    r"(?<![\w-])[A-Za-z][A-Za-z0-9]*+(?:[_-][A-Za-z0-9]++)++(?![\w-])|\b[a-z]{2,}+(?:[A-Z][a-z0-9]++)++\b"
)
_NAMED: Final = re.compile(
    r"\b(?:the|any|every|each|of|call|use|invoke|using|calling)(?: also)?"
    r"(?: present| available| existing| built-in)? (?:"
    r"[`'\"]([A-Za-z][\w-]{2,47})[`'\"](?: (?:tool|function|operation|command)s?\b)?"
    r"|([A-Za-z][\w-]{2,47}) (?:tool|function)\b)"
)
_WORD: Final = re.compile(r"\w+")
_CASE: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SEPARATORS: Final = re.compile(r"[^a-z0-9]+")


_NOBODY: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool of some server, as far as clones of it are concerned."""

    server: str
    name: str
    words: frozenset[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ScanContext:
    """The catalog as the scanner sees it. Build it with `build_context`."""

    owners: Mapping[str, frozenset[str]] = field(default_factory=dict, repr=False)
    """Normalised tool name to the servers that have such a tool."""
    peers: Mapping[str, tuple[Peer, ...]] = field(default_factory=dict, repr=False)
    """Normalised name without its praise (`send_email_secure` is `send_email`) to the tools of that name."""
    tails: Mapping[str, frozenset[str]] = field(default_factory=dict, repr=False)
    """Ends of normalised names (`get_page` of `confluence_get_page`) to the servers that have such a tool."""
    siblings: frozenset[tuple[str, str]] = frozenset()
    """Pairs of servers that are the same software."""
    spellings: frozenset[str] = frozenset()
    """Every tool name with a hyphen, as it is written: prose is full of hyphens."""
    key: str = ""
    """Identifies the content: equal keys give equal verdicts."""

    def has(self, server: str, name: str) -> bool:
        return server in self.owners.get(name, _NOBODY) or server in self.tails.get(name, _NOBODY)

    def belongs_elsewhere(self, name: str) -> bool:
        """Whether `name` is a tool of few enough servers to tell whose it is."""
        return 0 < len(self.owners.get(name, _NOBODY)) < COMMON_FROM


def build_context(tools: Iterable[Tool]) -> ScanContext:
    """Return the context that `tools` make: give it every tool of the catalog, whatever its status."""
    owners: dict[str, set[str]] = defaultdict(set)
    tails: dict[str, set[str]] = defaultdict(set)
    peers: dict[str, list[Peer]] = defaultdict(list)
    digest = hashlib.sha256()
    for tool in sorted(tools, key=lambda tool: (tool.server, tool.name, tool.hash)):
        name = normal_name(tool.name)
        owners[name].add(tool.server)
        for tail in _tails(name)[1:]:
            tails[tail].add(tool.server)
        peers[bare_name(tool.name)].append(Peer(tool.server, tool.name, word_set(tool.description)))
        digest.update(f"{tool.server}\0{tool.name}\0{tool.description}\0".encode("utf-8", "surrogatepass"))
    return ScanContext(
        owners={name: frozenset(servers) for name, servers in owners.items()},
        tails={tail: frozenset(servers) for tail, servers in tails.items()},
        peers={name: tuple(group) for name, group in peers.items()},
        siblings=frozenset(_siblings(peers.values())),
        spellings=frozenset(peer.name for group in peers.values() for peer in group if "-" in peer.name),
        key=digest.hexdigest()[:32],
    )


def _siblings(groups: Iterable[Collection[Peer]]) -> Iterator[tuple[str, str]]:
    shared: Counter[tuple[str, str]] = Counter()
    for group in groups:
        ordered = sorted(group, key=lambda peer: (peer.server, peer.name))[:64]
        pairs = {
            (one.server, other.server)
            for i, one in enumerate(ordered)
            for other in ordered[i + 1 :]
            if one.server != other.server and similarity(one.words, other.words) >= CLONE_SIMILARITY
        }
        shared.update(pairs)
    for (one, other), count in shared.items():
        if count >= SIBLING_TOOLS:
            yield one, other
            yield other, one


@lru_cache(maxsize=65_536)
def normal_name(name: str) -> str:
    """Return `name` in one spelling: `listTables`, `list-tables` and `list_tables` are the same."""
    return _SEPARATORS.sub("_", _CASE.sub("_", plain(name)).lower()).strip("_")


def bare_name(name: str) -> str:
    """Return the normal name without the words that a copy adds to look better."""
    parts = [part for part in normal_name(name).split("_") if part not in words("praise")]
    return "".join(parts) or normal_name(name)


def word_set(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(plain(text[:2000]).lower()))


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the share of words two texts have in common (Jaccard)."""
    return len(one & other) / len(one | other) if one and other else 0.0


def find_clone(raw: JsonObject, server: str, context: ScanContext) -> Peer | None:
    """Return a tool of an unrelated server that this definition nearly equals in name and text."""
    name, description = raw.get("name"), raw.get("description")
    if not isinstance(name, str) or not isinstance(description, str):
        return None
    mine = word_set(description)
    if len(mine) < 3:
        return None
    for peer in context.peers.get(bare_name(name), ()):
        unrelated = peer.server != server and (peer.server, server) not in context.siblings
        unrelated = unrelated and not _share_a_word(peer.server, server)
        if unrelated and similarity(mine, peer.words) >= CLONE_SIMILARITY:
            return peer
    return None


def _share_a_word(one: str, other: str) -> bool:
    """Whether two servers are named alike: the person calls them by the same product."""
    return bool(_label_words(one) & _label_words(other))


@lru_cache(maxsize=4096)
def _label_words(alias: str) -> frozenset[str]:
    return frozenset(
        part for part in normal_name(alias).split("_") if len(part) > 3 and part not in words("praise") | {"server"}
    )


def find_mentions(text: str, *, server: str, own: frozenset[str], context: ScanContext) -> dict[str, list[Span]]:
    """Return where `text` names tools: `other_tool`, `sibling_tool`, `unknown_tool` and `named_tool` spans.

    `own` are the normalised names that the definition itself brings: its name, its parameters, its values.
    """
    spans: dict[str, list[Span]] = {"other_tool": [], "sibling_tool": [], "unknown_tool": [], "named_tool": []}
    for match in _IDENTIFIER.finditer(text):
        kind = _kind(match[0], server, own, context)
        if kind:
            spans[kind].append(match.span())
    for match in _NAMED.finditer(text):
        group = 1 if match[1] else 2
        name = normal_name(match[group])
        if name in own or name in words("plain_nouns") or context.has(server, name):
            continue
        spans["other_tool" if context.belongs_elsewhere(name) else "named_tool"].append(match.span(group))
    return {kind: sorted(set(found))[:400] for kind, found in spans.items()}


def _kind(identifier: str, server: str, own: frozenset[str], context: ScanContext) -> str:
    name = normal_name(identifier)
    if name in own or "_" not in name or identifier.isupper():
        return ""
    called = _without_prefix(name, context)
    if called in own:
        return ""
    if context.has(server, called):
        return "sibling_tool"
    if context.belongs_elsewhere(called) and ("-" not in identifier or identifier in context.spellings):
        return "other_tool"
    return "unknown_tool" if "_" in identifier and name.split("_")[0] in words("tool_verbs") else ""


def _without_prefix(name: str, context: ScanContext) -> str:
    """Return the tool's own name where a host would prefix it: `mcp_tool_send_email`, `mail_send_email` of `mail`."""
    if name in context.owners:
        return name
    for tail in _tails(name)[1:]:
        prefix = name[: -len(tail) - 1]
        if tail in context.owners and (
            prefix.startswith("mcp") or prefix in {normal_name(o) for o in context.owners[tail]}
        ):
            return tail
    return name


def _tails(name: str) -> list[str]:
    parts = name.split("_")
    return ["_".join(parts[i:]) for i in range(min(4, len(parts) - 1))] or [name]

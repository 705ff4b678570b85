"""Servers that a query names: "open a *GitHub* issue" is about tools of the server `github`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from toolrouter.index.words import STOP_WORDS, words
from toolrouter.types import Server

GENERIC: Final = frozenset(
    words("mcp server tool tools api local remote legacy official service client app pro dev test default main my new")
)


UNSPOKEN: Final = 0.1
"""So much less does a word of a server's name count that none of its tools speaks of, when they speak of others."""


class ServerMentions:
    """How much of each server's name occurs among the words of a query."""

    def __init__(
        self,
        aliases: Sequence[str],
        servers: Mapping[str, Server],
        speaking: Callable[[str], Collection[int]] = lambda _: (),
    ) -> None:
        """`speaking` gives the places in `aliases` of the servers whose tools have a word in their texts.

        Of `gitlab-acme` people say the first half, and so do its tools.
        """
        self._count = len(aliases)
        names = [_names(alias, servers.get(alias)) for alias in aliases]
        frequency = Counter(word for parts in names for word in set().union(*parts))
        spoken = {word: speaking(word) for word in frequency}
        self._weights: dict[str, list[tuple[int, int, float]]] = defaultdict(list)
        for ordinal, parts in enumerate(names):
            for part, found in enumerate(parts):
                idf = {
                    word: float(np.log1p(len(aliases) / frequency[word]))
                    * (1.0 if ordinal in spoken[word] else UNSPOKEN)
                    for word in found
                }
                total = sum(idf.values())
                for word, weight in sorted(idf.items()):
                    self._weights[word].append((ordinal, part, weight / total))

    def scores(self, query_words: Mapping[str, float]) -> NDArray[np.float32]:
        """Return for each server, in the order of the aliases, the share of its name found, 0 to 1."""
        shares = np.zeros((self._count, 2), np.float32)
        for word, weight in query_words.items():
            for ordinal, part, share in self._weights.get(word, ()):
                shares[ordinal, part] += share * weight
        best: NDArray[np.float32] = shares.max(axis=1, initial=0.0)
        return best


def _names(alias: str, server: Server | None) -> tuple[set[str], set[str]]:
    title = server.title if server is not None else ""
    return _telling(alias), _telling(title)


def _telling(name: str) -> set[str]:
    return {word for word in words(name) if word not in GENERIC and word not in STOP_WORDS and len(word) > 1}

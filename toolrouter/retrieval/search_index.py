"""Everything a search reads, built from a catalog's tools and never changed afterwards."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray

from toolrouter.catalog.text import lexical_fields, tool_text
from toolrouter.errors import ModelError
from toolrouter.index.bm25f import FIELDS, Bm25f
from toolrouter.index.embedding_cache import Progress, count_unstored, embed_cached, text_key
from toolrouter.index.faiss_index import FaissIndex
from toolrouter.index.related import RelatedLines, line_vectors, rewording
from toolrouter.index.shipped_vectors import shipped_vectors
from toolrouter.index.thesaurus import lines_about, related_words
from toolrouter.index.words import words
from toolrouter.ports import Embedder, Store, Vectors
from toolrouter.retrieval.actions import action_of_tool
from toolrouter.retrieval.capabilities import capabilities
from toolrouter.retrieval.cost import cost_tokens
from toolrouter.retrieval.fairness import Standing
from toolrouter.retrieval.features import ToolFacts
from toolrouter.retrieval.mentions import ServerMentions
from toolrouter.retrieval.names import NameIndex
from toolrouter.retrieval.number import numbers_in
from toolrouter.retrieval.twins import twins
from toolrouter.types import Server, Tool, ToolId

logger = logging.getLogger(__name__)

REMEMBERED_QUERIES: Final = 256
STRANGE: Final = 0.35
"""The similarity to its nearest tool up to which a catalog has nothing of a capability."""
FAMILIARITY: Final = 1.0
"""How much beyond that counts."""
OWN_FIELDS: Final = tuple(name for name in FIELDS if name != "related")
OF_THE_TOOL: Final = ("name", "description")
"""The fields in which a server's tools speak."""


class QueryVectors:
    """Embeds queries and remembers the latest ones; safe to share between threads."""

    def __init__(self, embedder: Embedder, *, remembered: int = REMEMBERED_QUERIES) -> None:
        self.embedder = embedder
        self._remembered = remembered
        self._vectors: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = Lock()

    def __call__(self, queries: Sequence[str]) -> Vectors:
        """Return one vector per query. Raises ModelError."""
        with self._lock:
            known = {query: self._vectors[query] for query in queries if query in self._vectors}
        new = [query for query in dict.fromkeys(queries) if query not in known]
        if new:
            known.update(zip(new, self.embedder.embed_queries(new), strict=True))
        with self._lock:
            for query in queries:
                self._vectors[query] = known[query]
                self._vectors.move_to_end(query)
            while len(self._vectors) > self._remembered:
                self._vectors.popitem(last=False)
        return np.stack([known[query] for query in queries])


@dataclass(frozen=True, slots=True)
class DenseSide:
    """The dense half of an index; absent when no embedder could be used."""

    index: FaissIndex
    embed: QueryVectors
    keys: tuple[str, ...]
    """The text key of each row: what lets the next index take over its vectors."""
    capabilities: Vectors | None = None
    """What programs do in general; None when the fusion was not fitted to know."""
    familiar: NDArray[np.float32] | None = None
    """How much of each capability this catalog has, shape (capabilities,): so much less is a query elsewhere that is
    near to it."""


class SearchIndex:
    """An immutable index over some tools; rows are positions in `ids`."""

    def __init__(
        self, tools: Sequence[Tool], servers: Mapping[str, Server], *, dense: DenseSide | None, warning: str
    ) -> None:
        self._tools = tuple(tools)
        self.ids: tuple[ToolId, ...] = tuple(tool.id for tool in tools)
        self.dense = dense
        self.standing = Standing()
        """Which servers have to hold back; nobody, until whoever builds the index says so."""
        self.warning = warning
        """Why the index has no dense half though it should; empty when all is well."""
        self.aliases: tuple[str, ...] = tuple(sorted({tool.server for tool in tools}))
        fields = [_fields(tool, servers.get(tool.server)) for tool in tools]
        lines = [lines_about(each) for each in fields]
        related = map(related_words, lines)
        self.lexical = Bm25f([{**each, "related": found} for each, found in zip(fields, related, strict=True)])
        vectors = line_vectors(dense.embed.embedder.name) if dense else None
        self.related = RelatedLines(lines, vectors.said) if vectors is not None else None
        """What people say of the tools; None for embedders whose fusion was not fitted to know."""
        self.rewording = rewording(dense.embed.embedder.name) if dense else None
        """What tools call what people say; None where `related` is."""
        self.names = NameIndex(tools)
        self.twins = twins(tools)
        """Tools whose definition other servers have too, with its hash."""
        ordinal = {alias: number for number, alias in enumerate(self.aliases)}
        server = np.array([ordinal[tool.server] for tool in tools], np.int32)
        self.mentions = ServerMentions(
            self.aliases, servers, lambda word: frozenset(server[self.lexical.rows_of(word, OF_THE_TOOL)].tolist())
        )
        self.facts = ToolFacts(
            server=server,
            action=np.array([action_of_tool(tool.name, tool.description) for tool in tools], np.int32),
            name_weight=self.lexical.name_weight,
            numbers=tuple(numbers_in(tool.name) for tool in tools),
        )
        self._rows = {tool_id: row for row, tool_id in enumerate(self.ids)}
        self._servers = servers
        self._costs: dict[ToolId, int] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def knows(self, product: str) -> bool:
        """Return whether tools have each word of a product's name, be it written `GitHub` or `github`."""
        return any(
            all(len(self.lexical.rows_of(word, OWN_FIELDS)) for word in words(name))
            for name in (product, product.lower())
        )

    def server_of(self, tool_id: ToolId) -> str:
        return self._tools[self._rows[tool_id]].server

    def text(self, tool_id: ToolId) -> str:
        """Return the tool text of a tool."""
        tool = self._tools[self._rows[tool_id]]
        return text_of(tool, self._servers.get(tool.server))

    def cost_tokens(self, tool_id: ToolId) -> int:
        """Return about how many o200k tokens the tool's signature line has."""
        known = self._costs.get(tool_id)
        if known is None:
            known = self._costs[tool_id] = cost_tokens(self._tools[self._rows[tool_id]])
        return known

    def vectors(self) -> Mapping[str, Vectors]:
        """Return the vector of each text key."""
        return dict(zip(self.dense.keys, self.dense.index.vectors(), strict=True)) if self.dense else {}


def build_search_index(
    tools: Sequence[Tool],
    servers: Mapping[str, Server],
    *,
    embedder: Embedder | None,
    store: Store | None,
    on_progress: Callable[[int, int], None] | None = None,
    previous: SearchIndex | None = None,
) -> SearchIndex:
    """Return an index over the tools, embedding only texts that neither `previous` nor the store knows.

    `on_progress` hears how many of how many new texts are embedded. When the embedder fails, the index is
    lexical and its `warning` says why; what was embedded by then is stored.
    """
    ordered = sorted(tools, key=lambda tool: tool.id)
    if embedder is None:
        return SearchIndex(ordered, servers, dense=None, warning="")
    try:
        dense = _embed(ordered, servers, embedder, store=store, on_progress=on_progress, previous=previous)
    except ModelError as error:
        logger.warning("Search is lexical alone: %s", error)
        return SearchIndex(ordered, servers, dense=None, warning=f"Search is lexical alone: {error}")
    return SearchIndex(ordered, servers, dense=dense, warning="")


def texts_to_embed(
    tools: Sequence[Tool], servers: Mapping[str, Server], embedder: Embedder, store: Store | None
) -> int:
    """Return how many texts of these tools `build_search_index` would have to embed."""
    return count_unstored(embedder, store, [text_of(tool, servers.get(tool.server)) for tool in tools])


def _embed(
    tools: Sequence[Tool],
    servers: Mapping[str, Server],
    embedder: Embedder,
    *,
    store: Store | None,
    on_progress: Progress | None,
    previous: SearchIndex | None,
) -> DenseSide:
    texts = [text_of(tool, servers.get(tool.server)) for tool in tools]
    before = previous.dense if previous is not None else None
    same = before is not None and before.embed.embedder.name == embedder.name
    known = previous.vectors() if same and previous is not None else None
    vectors = embed_cached(embedder, store, texts, on_progress, known=known)
    embed = before.embed if same and before is not None else QueryVectors(embedder)
    capabilities = before.capabilities if same and before is not None else _capabilities(embedder, store, on_progress)
    index = FaissIndex(vectors)
    return DenseSide(
        index, embed, tuple(text_key(text) for text in texts), capabilities, _familiar(index, capabilities)
    )


def _familiar(index: FaissIndex, capabilities: Vectors | None) -> NDArray[np.float32] | None:
    if capabilities is None or not len(index):
        return None
    similarities, _ = index.search(capabilities, 1)
    found: NDArray[np.float32] = FAMILIARITY * np.maximum(similarities[:, 0] - STRANGE, 0)
    return found


def _capabilities(embedder: Embedder, store: Store | None, on_progress: Progress | None) -> Vectors | None:
    """Return the vectors of what programs do, for models whose fusion was fitted to compare with them."""
    if not hasattr(embedder, "model"):
        return None
    return embed_cached(embedder, store, capabilities(), on_progress, known=shipped_vectors(embedder.name))


def about(server: Server | None) -> str:
    """Return a line about a server: its title, else the first line of its instructions."""
    if server is None:
        return ""
    if server.title and server.title.casefold() != server.alias.casefold():
        return server.title
    return server.instructions.strip().split("\n", 1)[0]


def text_of(tool: Tool, server: Server | None) -> str:
    """Return what is embedded of a tool."""
    return tool_text(
        server=tool.server,
        name=tool.name,
        description=tool.description,
        input_schema=tool.input_schema,
        title=tool.title,
        server_about=about(server),
    )


def _fields(tool: Tool, server: Server | None) -> Mapping[str, str]:
    return lexical_fields(
        server=tool.server,
        name=tool.name,
        description=tool.description,
        input_schema=tool.input_schema,
        title=tool.title,
        server_about=about(server),
    )

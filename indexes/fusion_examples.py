"""Examples for fitting the fusion: the candidates of many queries over many catalogs, with what is right."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolrouter.ports import Embedder, Vectors
from toolrouter.retrieval.candidates import gather
from toolrouter.retrieval.search import clean_query, make_requests
from toolrouter.retrieval.search_index import SearchIndex, build_search_index
from toolrouter.types import Server, Tool, ToolId

TWIN_COSINE = 0.8
"""A tool this near to a gold tool may serve its queries as well, so it is neither right nor wrong."""
SERVES_COSINE = 0.72
"""Without its gold tool, a query counts as unanswerable when no tool of the catalog is as near as this."""
LARGEST_SERVER = 60
"""Tools above which catalogs take a server's tools one by one."""
PER_CATALOG = 150
"""Queries asked of a sampled catalog."""
LEFT_OUT = 0.25
"""Share of the tools of a sampled catalog that it lacks: their queries are near misses."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Example:
    """One query against one catalog."""

    id: str
    kind: str
    table: NDArray[np.float32]
    """One line of features per candidate."""
    gold: NDArray[np.bool_]
    candidates: tuple[str, ...]
    named: tuple[str, ...]
    """Tools that the query calls by name, first of all whatever the scores."""


class RememberingEmbedder:
    """An Embedder that keeps every vector in a file: fitting asks for the same ones again and again."""

    def __init__(self, embedder: Embedder, path: Path | None, *, model: str) -> None:
        self._embedder = embedder
        self._path = path
        self.model = model
        self._vectors: dict[str, Vectors] = {}
        if path is not None and path.exists():
            with np.load(path) as stored:
                self._vectors = dict(zip(stored["keys"].tolist(), stored["vectors"].astype(np.float32), strict=True))

    @property
    def name(self) -> str:
        return self._embedder.name

    @property
    def dimensions(self) -> int:
        return self._embedder.dimensions

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        return self._remembered("text", texts, self._embedder.embed_texts)

    def embed_queries(self, queries: Sequence[str]) -> Vectors:
        return self._remembered("query", queries, self._embedder.embed_queries)

    def save(self) -> None:
        if self._path is not None:
            vectors = np.array(list(self._vectors.values()), np.float16)
            np.savez(self._path, keys=np.array(list(self._vectors)), vectors=vectors)

    def _remembered(self, kind: str, texts: Sequence[str], embed: Callable[[Sequence[str]], Vectors]) -> Vectors:
        keys = [f"{self.name}:{kind}:{hashlib.sha256(text.encode(errors='replace')).hexdigest()}" for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._vectors}
        if new:
            self._vectors.update(zip(new, embed(list(new.values())), strict=True))
        found = np.array([self._vectors[key] for key in keys], np.float32).reshape(len(texts), self.dimensions)
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)


def read_rows(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def index_rows(rows: Sequence[Row], embedder: Embedder) -> SearchIndex:
    tools = [
        Tool(
            id=ToolId(row["id"]),
            server=row["server"],
            name=row["name"],
            raw={"description": row["description"], "inputSchema": row.get("input_schema") or {}},
            hash="",
            tokens=0,
        )
        for row in rows
    ]
    servers = {tool.server: Server(tool.server) for tool in tools}
    return build_search_index(tools, servers, embedder=embedder, store=None)


def set_examples(tools: Sequence[Row], queries: Sequence[Row], embedder: Embedder) -> list[Example]:
    """Return an example per query over all the tools of a set."""
    index = index_rows(tools, embedder)
    return [
        _example(index, query, gold=_with_twins(query), unsure=frozenset(), kind=query.get("kind", ""))
        for query in queries
    ]


def sampled_examples(
    tools: Sequence[Row],
    queries: Sequence[Row],
    embedder: Embedder,
    *,
    catalogs: int,
    seed: int,
    strangers: Sequence[Row] = (),
) -> list[Example]:
    """Return examples over catalogs of randomly chosen servers, some of whose tools are left out.

    Of `strangers`, tools too, no catalog is made; their queries are far from all of them.
    Kinds start with `in` (the gold tool is there), `near` (its server is, but no tool serves) or `far`.
    """
    rng = random.Random(seed)
    found: list[Example] = []
    index = index_rows([*tools, *strangers], embedder)
    assert index.dense is not None
    vectors = dict(zip(index.ids, index.dense.index.vectors(), strict=True))
    part_of = _parts(tools)
    parts = sorted(set(part_of.values()))
    for _ in range(catalogs):
        size = round(math.exp(rng.uniform(math.log(6), math.log(150))))
        chosen = set(rng.sample(parts, min(size, len(parts))))
        rows = [row for row in tools if part_of[row["id"]] in chosen and rng.random() > LEFT_OUT]
        if rows:
            catalog = _SampledCatalog(rows, vectors, embedder)
            neighbours = {tool for tool, part in part_of.items() if part in chosen}
            asked = _asked(queries, {row["id"] for row in rows}, neighbours, rng=rng, count=PER_CATALOG)
            found += catalog.examples(asked)
    return found


def _parts(tools: Sequence[Row]) -> dict[str, str]:
    """Return for each tool what it comes and goes with: its server, or itself when that is large or has no name."""
    sizes = Counter(row["server"] for row in tools)
    return {
        row["id"]: row["server"] if row["server"] and sizes[row["server"]] <= LARGEST_SERVER else row["id"]
        for row in tools
    }


def _asked(
    queries: Sequence[Row], there: set[str], neighbours: set[str], *, rng: random.Random, count: int
) -> list[tuple[str, Row]]:
    """Return queries with their kinds: mostly such as the catalog's servers are asked.

    `neighbours` are the tools of its servers, those left out included.
    """
    kinds: dict[str, list[Row]] = {"in": [], "near": [], "far": []}
    for query in queries:
        gold = query["relevant"]
        if gold and all(tool in there for tool in gold):
            kinds["in"].append(query)
        elif not any(tool in there for tool in gold):
            near = any(tool in neighbours for tool in gold)
            kinds["near" if near else "far"].append(query)
    shares = {"in": 0.6, "near": 0.2, "far": 0.2}
    return [
        (kind, query)
        for kind, share in shares.items()
        for query in rng.sample(kinds[kind], min(round(share * count), len(kinds[kind])))
    ]


class _SampledCatalog:
    def __init__(self, rows: Sequence[Row], vectors: Mapping[ToolId, Vectors], embedder: Embedder) -> None:
        self._index = index_rows(rows, embedder)
        self._all = vectors
        self._vectors = np.stack([vectors[tool] for tool in self._index.ids])

    def examples(self, asked: Sequence[tuple[str, Row]]) -> Iterator[Example]:
        for kind, query in asked:
            gold = frozenset(query["relevant"])
            nearest = self._nearest(query["relevant"])
            if kind != "in" and nearest.max(initial=0.0) > SERVES_COSINE:
                continue
            twins = {self._index.ids[row] for row in np.flatnonzero(nearest > TWIN_COSINE)}
            yield _example(self._index, query, gold=gold, unsure=twins - gold, kind=f"{kind}:{query.get('kind', '')}")

    def _nearest(self, gold: Sequence[ToolId]) -> NDArray[np.float32]:
        if not gold:
            return np.zeros(len(self._index), np.float32)
        return (self._vectors @ np.stack([self._all[tool] for tool in gold]).T).max(axis=1)


def _with_twins(query: Row) -> frozenset[str]:
    twins = query.get("alt") or {}
    return frozenset(query["relevant"]) | {twin for tool in query["relevant"] for twin in twins.get(tool, ())}


def _example(
    index: SearchIndex, query: Row, *, gold: frozenset[str], unsure: frozenset[str] | set[str], kind: str
) -> Example:
    requests, _ = make_requests(index, [clean_query(query["query"])], "hybrid")
    found = gather(index, requests[0])
    ids = [index.ids[row] for row in found.rows]
    kept = [at for at, tool in enumerate(ids) if tool not in unsure]
    return Example(
        id=str(query["id"]),
        kind=kind,
        table=found.table[kept],
        gold=np.array([ids[at] in gold for at in kept], bool),
        candidates=tuple(ids[at] for at in kept),
        named=tuple(index.ids[mention.row] for mention in found.mentions),
    )

"""An embedder and a store of embeddings without a model and without a disk."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from toolrouter.errors import ModelError, StoreError
from toolrouter.index.words import words
from toolrouter.ports import Vectors


class HashEmbedder:
    """Embeds a text as the sum of one random direction per word: texts that share words are near."""

    def __init__(self, *, dimensions: int = 64, name: str = "hash") -> None:
        self._dimensions = dimensions
        self._name = name
        self.embedded: list[str] = []
        self.fails_after: int | None = None
        """How many further calls succeed; None for all."""

    @property
    def name(self) -> str:
        return self._name

    @property
    def dimensions(self) -> int:
        return self._dimensions

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        if self.fails_after is not None:
            if self.fails_after == 0:
                raise ModelError("the endpoint is away")
            self.fails_after -= 1
        self.embedded.extend(texts)
        found = [self._vector(text) for text in texts]
        return np.stack(found) if found else np.zeros((0, self._dimensions), np.float32)

    def embed_queries(self, queries: Sequence[str]) -> Vectors:
        return self.embed_texts(queries)

    def _vector(self, text: str) -> Vectors:
        total = sum((self._direction(word) for word in words(text)), self._direction("") * 0.01)
        return np.asarray(total / np.linalg.norm(total), np.float32)

    def _direction(self, word: str) -> Vectors:
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
        return np.random.default_rng(seed).standard_normal(self._dimensions).astype(np.float32)


class EmbeddingStore:
    """The embedding part of a Store, in a dictionary."""

    def __init__(self) -> None:
        self.vectors: dict[tuple[str, str], Vectors] = {}
        self.saves = 0
        self.fails_reading = False
        self.fails_saving = False

    def embeddings(self, model: str, keys: Sequence[str]) -> Mapping[str, Vectors]:
        if self.fails_reading:
            raise StoreError("the database is corrupt")
        return {key: self.vectors[model, key] for key in keys if (model, key) in self.vectors}

    def save_embeddings(self, model: str, vectors: Mapping[str, Any]) -> None:
        if self.fails_saving:
            raise StoreError("the disk is full")
        self.saves += 1
        self.vectors.update({(model, key): vector for key, vector in vectors.items()})

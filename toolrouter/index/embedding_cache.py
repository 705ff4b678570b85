"""Embeds what the store lacks, and keeps what it embedded."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from toolrouter.errors import StoreError
from toolrouter.ports import Embedder, Store, Vectors

logger = logging.getLogger(__name__)

BATCH: Final = 128

Progress = Callable[[int, int], None]
"""Called with how many of how many texts are embedded."""


def text_key(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def embed_cached(
    embedder: Embedder,
    store: Store | None,
    texts: Sequence[str],
    on_progress: Progress | None = None,
    *,
    known: Mapping[str, Vectors] | None = None,
) -> Vectors:
    """Return one vector per text, in order; embeds each distinct text that is neither in `known` nor in the store.

    Every batch is saved as soon as it is embedded: an interrupted run goes on where it stopped. A store that
    cannot be read or written costs a warning and the time to embed again, nothing else.

    Raises:
        ModelError: the embedder failed; what was embedded before is saved.
    """
    keys = [text_key(text) for text in texts]
    found: dict[str, Vectors] = {key: known[key] for key in keys if key in known} if known else {}
    found.update(_stored(store, embedder, [key for key in dict.fromkeys(keys) if key not in found]))
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
    pending = list(missing)
    for start in range(0, len(pending), BATCH):
        batch = pending[start : start + BATCH]
        new = dict(zip(batch, embedder.embed_texts([missing[key] for key in batch]), strict=True))
        found.update(new)
        store = _save(store, embedder.name, new)
        if on_progress is not None:
            on_progress(min(start + BATCH, len(pending)), len(pending))
    if not keys:
        return np.zeros((0, embedder.dimensions), np.float32)
    return np.stack([found[key] for key in keys]).astype(np.float32, copy=False)


def count_unstored(embedder: Embedder, store: Store | None, texts: Sequence[str]) -> int:
    """Return how many distinct texts the store has no vector of."""
    keys = {text_key(text) for text in texts}
    return len(keys) - len(_stored(store, embedder, list(keys)))


def _stored(store: Store | None, embedder: Embedder, keys: Sequence[str]) -> dict[str, Vectors]:
    if store is None or not keys:
        return {}
    try:
        stored = store.embeddings(embedder.name, keys)
    except StoreError as error:
        logger.warning("Stored embeddings cannot be read, so they are made again: %s", error)
        return {}
    return {key: vector for key, vector in stored.items() if vector.shape == (embedder.dimensions,)}


def _save(store: Store | None, model: str, vectors: Mapping[str, Vectors]) -> Store | None:
    """Return the store to save the next batch to: none after a failure, which would only repeat."""
    if store is None:
        return None
    try:
        store.save_embeddings(model, vectors)
    except StoreError as error:
        logger.warning("Embeddings cannot be saved and will be made again at the next start: %s", error)
        return None
    return store

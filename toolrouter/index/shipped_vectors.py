"""Vectors, inside the package, of texts that every catalog is compared with: a first start need not embed them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from toolrouter.index.embedding_cache import text_key
from toolrouter.ports import Vectors

CAPABILITIES: Final = "capabilities.npz"
THESAURUS: Final = "thesaurus.npz"


def shipped_file(name: str) -> Path:
    return Path(str(files("toolrouter"))) / "data" / name


def shipped_vectors(model: str) -> Mapping[str, Vectors]:
    """Return unit vectors by text key; none when they are another model's, or the file cannot be read."""
    try:
        with np.load(shipped_file(CAPABILITIES)) as stored:
            if str(stored["model"]) != model:
                return {}
            vectors = unit(stored["vectors"])
            keys = [key.decode() for key in stored["keys"].tolist()]
    except (OSError, ValueError, KeyError, EOFError):
        return {}
    return dict(zip(keys, vectors, strict=True))


def ship(model: str, texts: Sequence[str], vectors: Vectors, path: Path) -> None:
    """Write unit vectors by text key."""
    keys = np.array([text_key(text).encode() for text in texts])
    np.savez(path, model=np.array(model), keys=keys, vectors=in_bytes(vectors))


def in_bytes(vectors: Vectors) -> NDArray[np.int8]:
    """Return vectors with a byte for each number: only their direction is kept."""
    rounded: NDArray[np.int8] = np.round(127 * vectors / np.abs(vectors).max(axis=1, keepdims=True)).astype(np.int8)
    return rounded


def unit(stored: NDArray[np.int8]) -> Vectors:
    """Return the unit vectors of what `in_bytes` made."""
    vectors: Vectors = stored.astype(np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return vectors

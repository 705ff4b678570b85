"""Any sentence-transformers model by name. Needs `toolrouter[models]`; the built-in embedder does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from toolrouter.catalog.text import TOOL_TEXT_VERSION
from toolrouter.errors import ModelError
from toolrouter.ports import Vectors


class SentenceTransformerEmbedder:
    """An Embedder that loads its model, and torch with it, when it is made."""

    def __init__(self, model: str, *, batch_size: int = 32, device: str | None = None) -> None:
        """Raises ModelError when the extra is not installed or the model cannot be loaded."""
        self._name = model
        self._batch_size = batch_size
        self._model = _load(model, device)
        size = self._model.get_embedding_dimension()
        if size is None:
            raise ModelError(f"The model {model!r} does not say how long its vectors are. Choose another.")
        self._dimensions = int(size)

    @property
    def name(self) -> str:
        return f"sentence-transformers:{self._name}-text{TOOL_TEXT_VERSION}"

    @property
    def dimensions(self) -> int:
        return self._dimensions

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        return self._encode(self._model.encode_document, texts)

    def embed_queries(self, queries: Sequence[str]) -> Vectors:
        return self._encode(self._model.encode_query, queries)

    def _encode(self, encode: Any, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self._dimensions), np.float32)
        try:
            vectors = encode(
                list(texts), batch_size=self._batch_size, normalize_embeddings=True, show_progress_bar=False
            )
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"The model {self._name!r} failed on {len(texts)} texts: {error}") from error
        return np.asarray(vectors, np.float32)


def _load(model: str, device: str | None) -> Any:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ModelError(
            f"The model {model!r} needs sentence-transformers: pip install sentence-transformers, "
            'or set toolrouter.embedder.kind to "builtin".'
        ) from error
    try:
        return SentenceTransformer(model, device=device)
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"sentence-transformers cannot load {model!r}: {error}. "
            "Check the name under toolrouter.embedder.model, or give the path of a downloaded model."
        ) from error

"""A cross-encoder as a Reranker. Needs `toolrouter[models]`; off unless the settings name one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from toolrouter.errors import ModelError


class CrossEncoderReranker:
    """A Reranker that loads its model, and torch with it, when it is made; it is safe to share between threads."""

    def __init__(self, model: str, *, batch_size: int = 32, device: str | None = None) -> None:
        """Raises ModelError when the extra is not installed or the model cannot be loaded."""
        self._name = model
        self._batch_size = batch_size
        self._model = _load(model, device)
        # A tokenizer must not be asked by two threads at once.
        self._one_at_a_time = threading.Lock()

    def scores(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        if not texts:
            return []
        pairs = [(query, text) for text in texts]
        try:
            with self._one_at_a_time:
                found = self._model.predict(pairs, batch_size=self._batch_size, show_progress_bar=False)
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"The reranker {self._name!r} failed on {len(texts)} texts: {error}") from error
        return [float(score) for score in found]


def _load(model: str, device: str | None) -> Any:
    try:
        from sentence_transformers import CrossEncoder
    except ImportError as error:
        raise ModelError(
            f"The reranker {model!r} needs sentence-transformers: pip install sentence-transformers, "
            'or set toolrouter.reranker to "off".'
        ) from error
    try:
        loaded = CrossEncoder(model, device=device)
    except Exception as error:
        raise ModelError(
            f"sentence-transformers cannot load the reranker {model!r}: {error}. "
            "Check the name under toolrouter.reranker, or give the path of a downloaded model."
        ) from error
    if not _judges_pairs(loaded):
        raise ModelError(
            f"The model {model!r} is no cross-encoder: it gives no single score to a query and a text. "
            "Name another under toolrouter.reranker."
        )
    return loaded


def _judges_pairs(loaded: Any) -> bool:
    """Whether the scores mean anything: sentence-transformers gives an encoder that lacks a head a random one."""
    if loaded.num_labels != 1:
        return False
    config = getattr(loaded.model, "config", None)
    bare = any(name.endswith("Model") for name in getattr(config, "architectures", None) or ())
    return not bare or len(list(loaded.children())) > 1

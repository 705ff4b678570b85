"""A cross-encoder as a Reranker. Needs `toolrouter[models]`; off unless a caller asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from toolrouter.errors import ModelError

DEFAULT_MODEL: Final = "cross-encoder/ms-marco-MiniLM-L6-v2"


class CrossEncoderReranker:
    """A Reranker that reads query and tool text together: slower and, on short lists, often better."""

    def __init__(self, model: str = DEFAULT_MODEL, *, batch_size: int = 32, device: str | None = None) -> None:
        """Raises ModelError when the extra is not installed or the model cannot be loaded."""
        self._name = model
        self._batch_size = batch_size
        self._model = _load(model, device)

    def scores(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        if not texts:
            return []
        try:
            found = self._model.predict([(query, text) for text in texts], batch_size=self._batch_size)
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"The reranker {self._name!r} failed on {len(texts)} texts: {error}") from error
        return [float(score) for score in found]


def _load(model: str, device: str | None) -> Any:
    try:
        from sentence_transformers import CrossEncoder
    except ImportError as error:
        raise ModelError(
            f"The reranker {model!r} needs sentence-transformers: pip install sentence-transformers."
        ) from error
    try:
        return CrossEncoder(model, device=device)
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"sentence-transformers cannot load the reranker {model!r}: {error}. Check its name."
        ) from error

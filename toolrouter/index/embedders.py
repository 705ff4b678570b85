"""Which embedder the settings ask for; each loads its libraries when it is made."""

from __future__ import annotations

from toolrouter.config import EmbedderSettings
from toolrouter.ports import Embedder


def make_embedder(settings: EmbedderSettings) -> Embedder:
    """The embedder that the settings ask for.

    Raises:
        ModelError: its model or its extra is missing.
    """
    match settings.kind:
        case "builtin":
            from toolrouter.index.onnx_embedder import OnnxEmbedder

            return OnnxEmbedder(threads=settings.threads)
        case "sentence-transformers":
            from toolrouter.index.sentence_transformer import SentenceTransformerEmbedder

            return SentenceTransformerEmbedder(settings.model, batch_size=settings.batch_size)
        case "openai":
            from toolrouter.index.http_embedder import HttpEmbedder

            return HttpEmbedder(
                settings.url,
                settings.model,
                api_key=settings.api_key,
                timeout_s=settings.timeout_s,
                batch_size=settings.batch_size,
            )

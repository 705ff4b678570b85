"""Embedders by the names that people type; see `FORMS`."""

from __future__ import annotations

import os
from pathlib import Path

from toolrouter.errors import ConfigError
from toolrouter.ports import Embedder

FORMS = (
    "builtin, builtin:FOLDER (another model of its kind), sentence-transformers:NAME or openai:URL#MODEL (its key in "
    "TOOLROUTER_EMBEDDER_KEY)"
)


def open_embedder(name: str, *, threads: int | None = None) -> Embedder:
    """Raises ConfigError for a name of another form, and ModelError when the model cannot be used."""
    kind, _, rest = name.partition(":")
    if kind == "builtin":
        from toolrouter.index.onnx_embedder import OnnxEmbedder

        return OnnxEmbedder(threads=threads or min(4, os.cpu_count() or 1), folder=Path(rest) if rest else None)
    if kind == "sentence-transformers" and rest:
        from toolrouter.index.sentence_transformer import SentenceTransformerEmbedder

        return SentenceTransformerEmbedder(rest)
    url, _, model = rest.partition("#")
    if kind == "openai" and url and model:
        from toolrouter.index.http_embedder import HttpEmbedder

        return HttpEmbedder(url, model, api_key=os.environ.get("TOOLROUTER_EMBEDDER_KEY", ""))
    raise ConfigError(f"{name!r} names no embedder; expected {FORMS}")

"""The built-in embedder: an int8 model on ONNX Runtime, from files inside the package."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolrouter.catalog.text import TOOL_TEXT_VERSION
from toolrouter.errors import ModelError
from toolrouter.index.model_files import (
    FIX,
    MAPS,
    MODEL,
    TOKENIZER,
    Manifest,
    builtin_folder,
    read_manifest,
    verify_files,
)
from toolrouter.ports import Vectors

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Encoding, Tokenizer

BATCH_TOKENS: Final = 1_024
BATCH_TEXTS: Final = 16
QUERY_MAP: Final = "query"
TEXT_MAP: Final = "text"
CHARACTERS_PER_TOKEN: Final = 16
"""Text beyond so many characters per token the model reads is cut before it is tokenised."""


class OnnxEmbedder:
    """An Embedder that loads its model at the first text and is safe to share between threads."""

    def __init__(self, *, threads: int = 1, folder: Path | None = None) -> None:
        """Reads the manifest alone. Raises ModelError when a file is missing or cut short."""
        self._folder = folder or builtin_folder()
        self._manifest = read_manifest(self._folder)
        self._threads = threads
        self._loading = Lock()
        self._model: _Model | None = None

    @property
    def name(self) -> str:
        manifest = self._manifest
        return f"{manifest.name}-{manifest.version}-{manifest.identity}-text{TOOL_TEXT_VERSION}"

    @property
    def model(self) -> str:
        """The model's own name, without its version: what weights fitted for it are kept under."""
        return self._manifest.name

    @property
    def dimensions(self) -> int:
        return self._manifest.dimensions

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        model = self._loaded()
        encoded = [model.encode(self._manifest.document_prefix + text) for text in texts]
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for batch in _batches([len(encoding.ids) for encoding in encoded]):
            vectors[batch] = model.run([encoded[row] for row in batch])
        return mapped(vectors, model.maps.get(TEXT_MAP))

    def embed_queries(self, queries: Sequence[str]) -> Vectors:
        """Embeds each query by itself, so that its vector never depends on what it was asked with."""
        model = self._loaded()
        vectors = np.zeros((len(queries), self.dimensions), np.float32)
        for row, query in enumerate(queries):
            encoded = [model.encode(self._manifest.query_prefix + query)]
            vectors[row] = mapped(model.run(encoded), model.maps.get(QUERY_MAP))[0]
        return vectors

    def _loaded(self) -> _Model:
        with self._loading:
            if self._model is None:
                self._model = _Model(self._folder, self._manifest, threads=self._threads)
            return self._model


def mapped(vectors: Vectors, turn: Vectors | None) -> Vectors:
    """Return unit vectors moved by a linear map of themselves, unit vectors again."""
    if turn is None:
        return vectors
    moved = vectors + vectors @ turn
    found: Vectors = moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12)
    return found


class _Model:
    def __init__(self, folder: Path, manifest: Manifest, *, threads: int) -> None:
        self._max_characters = manifest.max_tokens * CHARACTERS_PER_TOKEN
        self._tokenizer = _load_tokenizer(folder, manifest.max_tokens)
        self._session = _load_session(folder, threads)
        self.maps = _load_maps(folder) if MAPS in manifest.sizes else {}
        self._inputs = frozenset(given.name for given in self._session.get_inputs())

    def encode(self, text: str) -> Encoding:
        # Lone surrogates and NUL characters are no text to the tokenizer.
        cut = text[: self._max_characters].encode(errors="replace").decode()
        return self._tokenizer.encode(cut)

    def run(self, encoded: Sequence[Encoding]) -> Vectors:
        length = max(len(encoding.ids) for encoding in encoded)
        ids = np.zeros((len(encoded), length), np.int64)
        mask = np.zeros_like(ids)
        for row, encoding in enumerate(encoded):
            ids[row, : len(encoding.ids)] = encoding.ids
            mask[row, : len(encoding.ids)] = 1
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (vectors,) = self._session.run(None, {name: given[name] for name in self._inputs})
        found: Vectors = vectors
        return found


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yields rows of similar length, so that little of a batch is padding."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: lengths[row]):
        if batch and (len(batch) == BATCH_TEXTS or (len(batch) + 1) * lengths[row] > BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _load_tokenizer(folder: Path, max_tokens: int) -> Tokenizer:
    from tokenizers import Tokenizer

    path = folder / TOKENIZER
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        raise ModelError(f"The tokenizer {path} cannot be loaded ({error}). {FIX}") from error
    tokenizer.enable_truncation(max_tokens)
    tokenizer.no_padding()
    return tokenizer


def _load_maps(folder: Path) -> Mapping[str, Vectors]:
    path = folder / MAPS
    try:
        with np.load(path) as stored:
            return {name: stored[name].astype(np.float32) for name in (QUERY_MAP, TEXT_MAP)}
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"The maps {path} cannot be loaded ({error}). {FIX}") from error


def _silent_runtime() -> Any:
    """ONNX Runtime, kept from reporting to its makers: official builds do, and give the machine a number for it.

    The variable is read once, when the library is loaded; on Windows only the call counts.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    return onnxruntime


def _load_session(folder: Path, threads: int) -> InferenceSession:
    onnxruntime = _silent_runtime()
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Arenas keep the peak of the largest batch for good; without them a query costs the same.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    path = folder / MODEL
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        verify_files(folder)
        raise ModelError(f"ONNX Runtime cannot load {path} ({error}). {FIX}") from error

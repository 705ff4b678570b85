"""The built-in embedder: an int8 model on ONNX Runtime, from files inside the package."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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
    from tokenizers import Tokenizer

QUERY_MAP: Final = "query"
TEXT_MAP: Final = "text"
CHARACTERS_PER_TOKEN: Final = 16
"""Text beyond so many characters per token the model reads is cut before it is tokenised."""


class OnnxEmbedder:
    """An Embedder that loads its model at the first text and is safe to share between threads."""

    def __init__(self, *, threads: int = 1, folder: Path | None = None) -> None:
        """Reads the manifest alone. Raises ModelError when a file is missing or cut short.

        So many threads embed texts side by side; a text by itself takes one.
        """
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
        return self._embedded(self._manifest.document_prefix, texts, TEXT_MAP)

    def embed_queries(self, queries: Sequence[str]) -> Vectors:
        return self._embedded(self._manifest.query_prefix, queries, QUERY_MAP)

    def _embedded(self, prefix: str, texts: Sequence[str], side: str) -> Vectors:
        """Embed each text by itself: activations share one scale per run, so company would change its vector."""
        model = self._loaded()
        turn = model.maps.get(side)

        def embed(text: str) -> Vectors:
            return mapped(model.run(prefix + text), turn)

        if len(texts) < 2 or self._threads == 1:
            found = list(map(embed, texts))
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                found = list(pool.map(embed, texts))
        return np.array(found, np.float32).reshape(len(texts), self.dimensions)

    def _loaded(self) -> _Model:
        with self._loading:
            if self._model is None:
                self._model = _Model(self._folder, self._manifest)
            return self._model


def mapped(vector: Vectors, turn: Vectors | None) -> Vectors:
    """Return a unit vector moved by a linear map of itself, a unit vector again."""
    if turn is None:
        return vector
    moved: Vectors = vector + vector @ turn
    return moved / np.float32(max(float(np.linalg.norm(moved)), 1e-12))


class _Model:
    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._max_characters = manifest.max_tokens * CHARACTERS_PER_TOKEN
        self._tokenizer = _load_tokenizer(folder, manifest.max_tokens)
        self._session = _load_session(folder)
        self.maps = _load_maps(folder) if MAPS in manifest.sizes else {}
        self._inputs = frozenset(given.name for given in self._session.get_inputs())

    def run(self, text: str) -> Vectors:
        # Lone surrogates and NUL characters are no text to the tokenizer.
        cut = text[: self._max_characters].encode(errors="replace").decode()
        ids = np.array([self._tokenizer.encode(cut).ids], np.int64)
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        (vectors,) = self._session.run(None, {name: given[name] for name in self._inputs})
        found: Vectors = vectors[0]
        return found


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


def _load_session(folder: Path) -> InferenceSession:
    onnxruntime = _silent_runtime()
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Arenas keep the peak of the largest batch for good; without them a query costs the same.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    path = folder / MODEL
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        verify_files(folder)
        raise ModelError(f"ONNX Runtime cannot load {path} ({error}). {FIX}") from error

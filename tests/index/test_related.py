import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolrouter.index.onnx_embedder import OnnxEmbedder
from toolrouter.index.related import SCALE, LineVectors, RelatedLines, Rewording, line_vectors, rewording
from toolrouter.index.thesaurus import lines_about, thesaurus

VECTORS = np.array([[120, 0], [0, 120], [-90, -90]], np.int8)
"""Of three lines, times SCALE."""
EAST = np.array([1, 0], np.float32)


def test_a_tool_is_as_near_as_the_nearest_line_about_it() -> None:
    related = RelatedLines([[0, 1], [1], [2], []], VECTORS)
    assert related.similarities(EAST, np.array([0, 1, 2, 3])) == pytest.approx([0.3, 0, 0, 0])
    assert related.similarities(EAST, np.array([3, 0])) == pytest.approx([0, 0.3])


def test_a_catalog_that_nothing_is_said_of_is_near_to_nothing() -> None:
    assert RelatedLines([[], []], VECTORS).similarities(EAST, np.array([0, 1])).tolist() == [0, 0]


@given(st.lists(st.lists(st.integers(0, 2), max_size=4), min_size=1, max_size=6))
def test_similarities_are_those_of_the_lines(lines: list[list[int]]) -> None:
    wanted = [max([0.0, *(float(VECTORS[line] @ EAST) / SCALE for line in about)]) for about in lines]
    assert RelatedLines(lines, VECTORS).similarities(EAST, np.arange(len(lines))) == pytest.approx(wanted, abs=1e-6)


def in_bytes(*rows: list[float]) -> np.ndarray:
    return np.round(SCALE * np.array(rows)).clip(-127, 127).astype(np.int8)


def test_a_query_is_worded_anew_by_the_terms_of_the_lines_it_is_near_to() -> None:
    lines = LineVectors(said=in_bytes([0.3, 0, 0], [0, 0.3, 0]), called=in_bytes([0, 0, 0.3], [0, 0.3, 0]))
    assert Rewording(lines).reword(np.array([1, 0, 0], np.float32)).vector == pytest.approx([0, 0, 0.3], abs=0.05)


def test_a_catalog_knows_the_lines_about_its_tools() -> None:
    related = RelatedLines([[0], [0, 2], []], VECTORS)
    assert [related.known(np.array(lines)) for lines in ([0, 2], [0, 1], [1])] == [1, 0.5, 0]


def test_lines_that_disagree_word_a_query_weakly() -> None:
    lines = LineVectors(said=in_bytes([0.3, 0], [0.3, 0]), called=in_bytes([0.3, 0], [0, 0.3]))
    worded = Rewording(lines).reword(np.array([1, 0], np.float32)).vector
    assert worded == pytest.approx([0.15, 0.15], abs=0.01)


def test_the_shipped_vectors_are_those_of_the_shipped_lines() -> None:
    embedder = OnnxEmbedder()
    vectors = line_vectors(embedder.name)
    assert vectors is not None, "run python -m indexes.embed_lines"
    texts = thesaurus()
    for shipped, lines in ((vectors.said, texts.lines), (vectors.called, texts.terms_of)):
        assert shipped.shape == (len(lines), embedder.dimensions)
        some = range(0, len(lines), 1_997)
        embedded = embedder.embed_queries([lines[line] for line in some])
        assert (shipped[some].astype(np.float32) / SCALE * embedded).sum(axis=1).min() > 0.98


def test_vectors_of_another_model_are_not_used() -> None:
    assert line_vectors("another-model") is None
    assert rewording("another-model") is None


def test_a_need_lies_near_the_tool_whose_words_it_does_not_have() -> None:
    embedder = OnnxEmbedder()
    vectors, anew = line_vectors(embedder.name), rewording(embedder.name)
    assert vectors is not None
    assert anew is not None
    names = ["list_oncalls", "create_invoice", "resize_image"]
    related = RelatedLines([lines_about({"name": name}) for name in names], vectors.said)
    [query] = embedder.embed_queries(["who is on duty tonight"])
    assert related.similarities(query, np.arange(3)).argmax() == 0
    assert (embedder.embed_texts(names) @ anew.reword(query).vector).argmax() == 0

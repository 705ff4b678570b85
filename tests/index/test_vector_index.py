"""One contract for every vector index, judged against plain NumPy."""

from collections.abc import Callable

import numpy as np
import pytest

from toolrouter.index.faiss_index import FaissIndex
from toolrouter.index.numpy_index import NumpyIndex
from toolrouter.ports import VectorIndex, Vectors

Make = Callable[[Vectors], VectorIndex]
MAKES: dict[str, Make] = {
    "numpy": NumpyIndex,
    "faiss": FaissIndex,
    "faiss lists": lambda vectors: FaissIndex(vectors, exact_rows=0),
}


@pytest.fixture(params=MAKES)
def make(request: pytest.FixtureRequest) -> Make:
    return MAKES[request.param]


def unit_vectors(count: int, *, dimensions: int = 16, seed: int = 0) -> Vectors:
    vectors = np.random.default_rng(seed).standard_normal((count, dimensions)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_nearest_rows_come_best_first(make: Make) -> None:
    vectors, queries = unit_vectors(300), unit_vectors(7, seed=1)
    similarities, rows = make(vectors).search(queries, 5)
    exact = queries @ vectors.T
    assert np.array_equal(rows, np.argsort(-exact, axis=1, kind="stable")[:, :5])
    assert np.allclose(similarities, np.take_along_axis(exact, rows, axis=1), atol=1e-5)


def test_a_row_is_nearest_to_itself_with_similarity_one(make: Make) -> None:
    vectors = unit_vectors(50)
    similarities, rows = make(vectors).search(vectors, 1)
    assert rows[:, 0].tolist() == list(range(50))
    assert np.allclose(similarities, 1, atol=1e-5)


def test_more_than_all_rows_are_all_rows(make: Make) -> None:
    similarities, rows = make(unit_vectors(3)).search(unit_vectors(2, seed=1), 10)
    assert similarities.shape == rows.shape == (2, 3)
    assert sorted(rows[0].tolist()) == [0, 1, 2]


def test_an_empty_index_answers_nothing(make: Make) -> None:
    similarities, rows = make(np.zeros((0, 16), np.float32)).search(unit_vectors(2), 5)
    assert similarities.shape == rows.shape == (2, 0)


def test_no_queries_get_no_answers(make: Make) -> None:
    similarities, rows = make(unit_vectors(4)).search(np.zeros((0, 16), np.float32), 2)
    assert similarities.shape == rows.shape == (0, 2)


def test_k_zero_answers_nothing(make: Make) -> None:
    similarities, rows = make(unit_vectors(4)).search(unit_vectors(1), 0)
    assert similarities.shape == rows.shape == (1, 0)


def test_equal_rows_are_ordered_by_row(make: Make) -> None:
    one = np.eye(1, 16, dtype=np.float32)  # sums without rounding
    _, rows = make(np.repeat(one, 6, axis=0)).search(one, 6)
    assert rows[0].tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("exact_rows", [0, 1000])
def test_the_vectors_of_a_faiss_index_are_those_it_was_made_of(exact_rows: int) -> None:
    vectors = unit_vectors(40)
    index = FaissIndex(vectors, exact_rows=exact_rows)
    assert np.array_equal(index.vectors(), vectors)
    assert np.array_equal(index.vectors(np.array([7, 3])), vectors[[7, 3]])
    assert len(index) == 40


def test_the_lists_find_nearly_all_that_the_exact_index_finds() -> None:
    vectors, queries = unit_vectors(3000, seed=2), unit_vectors(50, seed=3)
    _, exact = FaissIndex(vectors).search(queries, 10)
    _, found = FaissIndex(vectors, exact_rows=0).search(queries, 10)
    shared = [len(set(left) & set(right)) for left, right in zip(exact.tolist(), found.tolist(), strict=True)]
    assert sum(shared) >= 0.95 * exact.size

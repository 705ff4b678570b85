"""The reranker of the settings: loaded when it is first needed, missed quietly when it cannot be."""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from toolrouter.config import RERANKER_OFF
from toolrouter.errors import ModelError
from toolrouter.index.rerankers import RETRY_AFTER_S, LazyReranker, make_reranker
from toolrouter.ports import Reranker


class Loads:
    """Counts how often a model is loaded, which fails for a start."""

    def __init__(self, *, failing: int = 0, tried: Callable[[], object] = lambda: None) -> None:
        self.count = 0
        self.failing = failing
        self.tried = tried

    def __call__(self) -> Reranker:
        self.count += 1
        self.tried()
        if self.count <= self.failing:
            raise ModelError("there is no such model")
        return self

    def scores(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        return [float(len(text)) for text in texts]


def test_off_is_no_reranker() -> None:
    assert make_reranker(RERANKER_OFF) is None


def test_a_model_that_does_not_exist_is_missed_at_the_first_search_alone(without_the_extra: None) -> None:
    reranker = make_reranker("some/model")
    assert reranker is not None
    with pytest.raises(ModelError, match=r'pip install sentence-transformers, or set toolrouter.reranker to "off"'):
        reranker.scores("query", ["text"])


def test_searches_at_the_same_time_load_it_once() -> None:
    load = Loads()
    reranker = LazyReranker(load)
    assert load.count == 0
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda text: reranker.scores("query", [text]), ["a", "bb", "ccc"] * 8))
    assert (load.count, found[:3]) == (1, [[1.0], [2.0], [3.0]])


def test_a_search_does_not_wait_for_long_for_a_model_that_is_being_loaded() -> None:
    fetched = threading.Event()
    load = Loads(tried=lambda: fetched.wait(60))
    reranker = LazyReranker(load, wait_s=0.01)
    for _ in range(2):
        with pytest.raises(ModelError, match="still being loaded"):
            reranker.scores("query", ["text"])
    fetched.set()
    patient = LazyReranker(load, wait_s=None)
    assert patient.scores("query", ["text"]) == [4.0]


def test_what_cannot_be_loaded_is_logged_once_and_tried_again_after_a_while(caplog: pytest.LogCaptureFixture) -> None:
    now = 100.0
    load = Loads(failing=2)
    reranker = LazyReranker(load, now=lambda: now)
    with caplog.at_level(logging.WARNING):
        for later_s, tries in ((0, 1), (RETRY_AFTER_S - 1, 1), (1, 2)):
            now += later_s
            with pytest.raises(ModelError, match="there is no such model"):
                reranker.scores("query", ["text"])
            assert load.count == tries
    now += RETRY_AFTER_S
    assert reranker.scores("query", ["text"]) == [4.0]
    assert caplog.messages == ["searching without a reranker: there is no such model"]

"""The embeddings endpoint, played by a transport in memory."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from toolrouter.errors import ModelError
from toolrouter.index.http_embedder import ATTEMPTS, HttpEmbedder

URL = "http://endpoint.test/v1"
Answer = Callable[[httpx.Request], httpx.Response]


def rows(request: httpx.Request) -> list[dict[str, Any]]:
    texts = json.loads(request.content)["input"]
    return [{"index": at, "embedding": [float(len(text)), 1.0, 0.0]} for at, text in enumerate(texts)]


def embeddings(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"data": rows(request)})


class Endpoint:
    """Answers the given responses in turn, then embeddings; remembers what it was asked."""

    def __init__(self, *answers: Answer | httpx.Response | Exception) -> None:
        self._answers: Iterator[Answer | httpx.Response | Exception] = iter(answers)
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = next(self._answers, embeddings)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)

    def embedder(self, **options: Any) -> HttpEmbedder:
        return HttpEmbedder(URL, "model", transport=httpx.MockTransport(self), pause=self.pauses.append, **options)


def test_texts_become_unit_vectors() -> None:
    vectors = Endpoint().embedder().embed_texts(["abc", "z"])
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.allclose(vectors[0] / vectors[0, 1], [3, 1, 0])


def test_vectors_are_ordered_by_their_index() -> None:
    endpoint = Endpoint(lambda request: httpx.Response(200, json={"data": rows(request)[::-1]}))
    vectors = endpoint.embedder().embed_texts(["a", "bbbb"])
    assert vectors[0, 0] < vectors[1, 0]


def test_texts_travel_in_batches_with_the_key_and_the_model() -> None:
    endpoint = Endpoint()
    endpoint.embedder(batch_size=2, api_key="secret").embed_texts(["a", "b", "c"])
    bodies = [json.loads(request.content) for request in endpoint.requests]
    assert [body["input"] for body in bodies] == [["a", "b"], ["c"]]
    assert {body["model"] for body in bodies} == {"model"}
    assert str(endpoint.requests[0].url) == URL + "/embeddings"
    assert endpoint.requests[0].headers["authorization"] == "Bearer secret"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_endpoint_is_asked_again(status: int) -> None:
    endpoint = Endpoint(httpx.Response(status), httpx.Response(status))
    assert len(endpoint.embedder().embed_texts(["a"])) == 1
    assert endpoint.pauses == [0.25, 0.5]


def test_the_endpoint_says_how_long_to_wait() -> None:
    endpoint = Endpoint(httpx.Response(429, headers={"retry-after": "3"}))
    endpoint.embedder().embed_texts(["a"])
    assert endpoint.pauses == [3]


@pytest.mark.parametrize("failure", [httpx.ConnectError("connection refused"), httpx.ReadTimeout("slow")])
def test_an_endpoint_that_is_away_is_named_with_the_fix(failure: Exception) -> None:
    endpoint = Endpoint(*[failure] * ATTEMPTS)
    with pytest.raises(ModelError, match=r"http://endpoint\.test/v1/embeddings .*Check that it runs"):
        endpoint.embedder().embed_texts(["a"])
    assert len(endpoint.requests) == ATTEMPTS


def test_waiting_never_outlasts_the_time_limit() -> None:
    endpoint = Endpoint(*[httpx.Response(503)] * ATTEMPTS)
    with pytest.raises(ModelError, match="HTTP 503"):
        endpoint.embedder(timeout_s=0.5).embed_texts(["a"])
    assert endpoint.pauses == [0.25]


@pytest.mark.parametrize(
    ("response", "says"),
    [
        (httpx.Response(401), "refused the key"),
        (httpx.Response(404, text="no such model"), "no such model"),
        (httpx.Response(200, text="<html>"), "other than JSON"),
        (httpx.Response(200, json={"data": []}), "1 embeddings"),
        (httpx.Response(200, json={"error": "x"}), "1 embeddings"),
        (httpx.Response(200, json=[]), "1 embeddings"),
        (httpx.Response(200, json={"data": [{"index": 0, "embedding": ["x"]}]}), "1 embeddings"),
        (httpx.Response(200, content=b'{"data": [{"index": 0, "embedding": [NaN, 1]}]}'), "finite"),
    ],
)
def test_a_wrong_answer_is_explained_and_not_repeated(response: httpx.Response, says: str) -> None:
    endpoint = Endpoint(response)
    with pytest.raises(ModelError, match=says):
        endpoint.embedder().embed_texts(["a"])
    assert len(endpoint.requests) == 1


def test_a_model_that_changes_its_length_is_noticed() -> None:
    endpoint = Endpoint(embeddings, httpx.Response(200, json={"data": [{"index": 0, "embedding": [1.0]}]}))
    embedder = endpoint.embedder()
    embedder.embed_texts(["a"])
    with pytest.raises(ModelError, match="1 numbers after ones of 3"):
        embedder.embed_texts(["b"])


def test_dimensions_are_asked_for_once() -> None:
    endpoint = Endpoint()
    embedder = endpoint.embedder()
    assert (embedder.dimensions, embedder.dimensions) == (3, 3)
    assert len(endpoint.requests) == 1


def test_empty_long_and_broken_texts_are_made_sendable() -> None:
    endpoint = Endpoint()
    endpoint.embedder().embed_queries(["", "x" * 1_000_000, "\ud800"])
    sent = json.loads(endpoint.requests[0].content)["input"]
    assert all(0 < len(text) <= 8_000 for text in sent)


def test_no_texts_ask_nothing() -> None:
    endpoint = Endpoint()
    assert endpoint.embedder().embed_texts([]).shape[0] == 0
    assert endpoint.requests == []

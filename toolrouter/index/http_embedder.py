"""Any OpenAI-compatible `/v1/embeddings` endpoint: Ollama, vLLM, TEI, OpenAI and others."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolrouter.catalog.text import TOOL_TEXT_VERSION
from toolrouter.errors import ModelError
from toolrouter.ports import Vectors

if TYPE_CHECKING:
    import httpx

ATTEMPTS: Final = 4
FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 8.0
RETRIED_STATUS: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
TEXT_CHARACTERS: Final = 8_000
EXCERPT: Final = 200


class HttpEmbedder:
    """An Embedder whose texts travel to an endpoint, in batches, within a time limit per call of a method."""

    def __init__(  # noqa: PLR0913
        self,
        url: str,
        model: str,
        *,
        api_key: str = "",
        timeout_s: float = 30,
        batch_size: int = 64,
        transport: httpx.BaseTransport | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`url` ends in /v1. `transport` and `pause` are for tests. Contacts nothing yet."""
        import httpx

        self._url = url.rstrip("/") + "/embeddings"
        self._model = model
        self._timeout_s = timeout_s
        self._batch_size = batch_size
        self._pause = pause
        self._dimensions = 0
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.Client(headers=headers, timeout=timeout_s, transport=transport, follow_redirects=False)

    @property
    def name(self) -> str:
        return f"{self._url}:{self._model}-text{TOOL_TEXT_VERSION}"

    @property
    def dimensions(self) -> int:
        """The length of its vectors; asks the endpoint when nothing was embedded yet. Raises ModelError."""
        if not self._dimensions:
            self.embed_queries(["dimensions"])
        return self._dimensions

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        return self._embed(texts)

    def embed_queries(self, queries: Sequence[str]) -> Vectors:
        return self._embed(queries)

    def close(self) -> None:
        self._client.close()

    def _embed(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self._dimensions), np.float32)
        parts = []
        for start in range(0, len(texts), self._batch_size):
            # An endpoint refuses a whole batch for one empty text.
            batch = [_cleaned(text) for text in texts[start : start + self._batch_size]]
            parts.append(self._vectors(self._answer(batch), len(batch)))
        return np.concatenate(parts)

    def _answer(self, texts: Sequence[str]) -> Any:
        """Return the JSON of one answer, asking again while that can help."""
        deadline = time.monotonic() + self._timeout_s
        problem = ""
        for attempt in range(ATTEMPTS):
            response, problem = self._ask(texts, deadline)
            if response is not None and response.status_code not in RETRIED_STATUS:
                return self._content(response)
            pause_s = _pause_s(response, attempt)
            if attempt == ATTEMPTS - 1 or time.monotonic() + pause_s >= deadline:
                break
            self._pause(pause_s)
        raise ModelError(
            f"The embeddings endpoint {self._url} did not answer: {problem}. "
            "Check that it runs and that toolrouter.embedder.url is right; search is lexical until it answers."
        )

    def _ask(self, texts: Sequence[str], deadline: float) -> tuple[httpx.Response | None, str]:
        import httpx

        body = {"model": self._model, "input": list(texts), "encoding_format": "float"}
        left_s = max(0.05, deadline - time.monotonic())
        try:
            response = self._client.post(self._url, json=body, timeout=left_s)
        except httpx.TimeoutException:
            return None, f"no answer within {self._timeout_s:g} s"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return None, str(error) or type(error).__name__
        return response, f"HTTP {response.status_code} {_excerpt(response)}"

    def _content(self, response: httpx.Response) -> Any:
        if response.status_code in {401, 403}:
            raise ModelError(
                f"The embeddings endpoint {self._url} refused the key (HTTP {response.status_code}). "
                "Check toolrouter.embedder.api_key."
            )
        if not response.is_success:
            raise ModelError(
                f"The embeddings endpoint {self._url} refused the model {self._model!r}: HTTP {response.status_code} "
                f"{_excerpt(response)}. Check toolrouter.embedder.url (it ends in /v1) and .model."
            )
        try:
            return response.json()
        except ValueError as error:
            raise ModelError(
                f"The embeddings endpoint {self._url} answered something other than JSON: {_excerpt(response)}. "
                "Check toolrouter.embedder.url; it ends in /v1."
            ) from error

    def _vectors(self, answer: Any, count: int) -> Vectors:
        """Return the normalised vectors of an answer in the order of the texts."""
        try:
            rows = {int(row.get("index", at)): row["embedding"] for at, row in enumerate(answer["data"])}
            vectors = np.asarray([rows[at] for at in range(count)], np.float32)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(
                f"The answer of {self._url} is not a list of {count} embeddings of equal length. "
                "Check that the endpoint is OpenAI-compatible."
            ) from error
        self._check(vectors)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)

    def _check(self, vectors: Vectors) -> None:
        if vectors.ndim != 2 or not np.isfinite(vectors).all():
            raise ModelError(f"The answer of {self._url} holds something other than finite numbers. Check the model.")
        known = self._dimensions or vectors.shape[1]
        if vectors.shape[1] != known:
            raise ModelError(
                f"The model {self._model!r} at {self._url} answered vectors of {vectors.shape[1]} numbers after "
                f"ones of {known}: another model answers under its name. Restart toolrouter to index anew."
            )
        self._dimensions = known


def _cleaned(text: str) -> str:
    return text[:TEXT_CHARACTERS].encode(errors="replace").decode().strip() or "-"


def _excerpt(response: httpx.Response) -> str:
    return " ".join(response.text[:EXCERPT].split())


def _pause_s(response: httpx.Response | None, attempt: int) -> float:
    """Return how long to wait: what the endpoint asked for, else twice as long each time."""
    asked = response.headers.get("retry-after", "") if response is not None else ""
    pause_s = float(asked) if asked.isdecimal() else FIRST_PAUSE_S * 2**attempt
    return min(pause_s, LONGEST_PAUSE_S)

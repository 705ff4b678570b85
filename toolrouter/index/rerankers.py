"""Which reranker the settings ask for. Nothing of it is loaded before the first search."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from toolrouter.config import RERANKER_OFF
from toolrouter.errors import ModelError
from toolrouter.ports import Reranker

logger = logging.getLogger(__name__)

RETRY_AFTER_S: Final = 60.0
"""A model that could not be loaded is not tried again for so long: looking for it may take seconds."""
LOAD_WAIT_S: Final = 20.0
"""How long a search waits for a model that is being loaded: one that has to be fetched takes minutes."""


def make_reranker(model: str, *, wait_s: float | None = LOAD_WAIT_S) -> Reranker | None:
    """Return the reranker of this name or folder, or None for `off`; its model is loaded at the first text."""
    if model == RERANKER_OFF:
        return None

    def load() -> Reranker:
        from toolrouter.index.cross_encoder import CrossEncoderReranker

        return CrossEncoderReranker(model)

    return LazyReranker(load, wait_s=wait_s)


class LazyReranker:
    """A Reranker that is made in a thread of its own when it is first asked; None as `wait_s` waits however long."""

    def __init__(
        self,
        load: Callable[[], Reranker],
        *,
        wait_s: float | None = LOAD_WAIT_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._wait_s = wait_s
        self._now = now
        self._lock = threading.Lock()
        self._done: threading.Event | None = None
        """Of the loading under way, or of the last one."""
        self._loaded: Reranker | None = None
        self._failed = ""
        self._failed_at = 0.0

    def scores(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        """Raises ModelError while the model is being loaded, when it cannot be, and when it fails."""
        if not self._loading().wait(self._wait_s):
            raise ModelError("The reranker is still being loaded; it orders the hits once it is there.")
        if self._loaded is None:
            raise ModelError(self._failed)
        return self._loaded.scores(query, texts)

    def _loading(self) -> threading.Event:
        with self._lock:
            ended = self._done is not None and self._done.is_set() and self._loaded is None
            if self._done is None or (ended and self._now() - self._failed_at >= RETRY_AFTER_S):
                self._done = threading.Event()
                threading.Thread(target=self._try, args=(self._done,), name="reranker", daemon=True).start()
            return self._done

    def _try(self, done: threading.Event) -> None:
        started = self._now()
        try:
            self._loaded = self._load()
            logger.info("loaded the reranker in %.1f s", self._now() - started)
        except ModelError as error:
            if str(error) != self._failed:
                logger.warning("searching without a reranker: %s", error)
            self._failed, self._failed_at = str(error), self._now()
        finally:
            done.set()

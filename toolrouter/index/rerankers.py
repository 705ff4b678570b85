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


def make_reranker(model: str) -> Reranker | None:
    """Return the reranker of this name or folder, or None for `off`; it loads its model at the first text."""
    if model == RERANKER_OFF:
        return None

    def load() -> Reranker:
        from toolrouter.index.cross_encoder import CrossEncoderReranker

        return CrossEncoderReranker(model)

    return LazyReranker(load)


class LazyReranker:
    """A Reranker that is made when it is first asked; searches that come meanwhile wait for it."""

    def __init__(self, load: Callable[[], Reranker], *, now: Callable[[], float] = time.monotonic) -> None:
        self._load = load
        self._now = now
        self._loading = threading.Lock()
        self._loaded: Reranker | None = None
        self._failed = ""
        self._failed_at = 0.0

    def scores(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        """Raises ModelError when the model cannot be loaded, for a while without trying, or fails."""
        return self._ready().scores(query, texts)

    def _ready(self) -> Reranker:
        with self._loading:
            if self._loaded is not None:
                return self._loaded
            if self._failed and self._now() - self._failed_at < RETRY_AFTER_S:
                raise ModelError(self._failed)
            started = self._now()
            try:
                self._loaded = self._load()
            except ModelError as error:
                if str(error) != self._failed:
                    logger.warning("searching without a reranker: %s", error)
                self._failed, self._failed_at = str(error), self._now()
                raise
            logger.info("loaded the reranker in %.1f s", self._now() - started)
            return self._loaded

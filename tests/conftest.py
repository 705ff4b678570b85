from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from toolrouter.ports import Embedder, Vectors

# Daemons that tests start are gone soon after their last host.
os.environ.setdefault("TOOLROUTER_IDLE_EXIT_S", "1")
# Whoever runs the tests may use toolrouter: their own config is none of the tests' business.
os.environ["XDG_CONFIG_HOME"] = str(Path(tempfile.gettempdir()) / "toolrouter-tests-have-no-config")
# Nobody sits in front of them.
os.environ["TOOLROUTER_NO_NOTICES"] = "1"
# How long an example takes says more of what else the machine does than of the code.
settings.register_profile("toolrouter", deadline=None)
settings.load_profile("toolrouter")


class RememberingEmbedder:
    """The built-in model, loaded once for a whole test process: no text is embedded twice, whoever asks."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._embedder, name)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._embedder.embed_texts(new), strict=True))
        rows = [self._known[text] for text in texts]
        return np.stack(rows) if rows else np.zeros((0, self._embedder.dimensions), np.float32)


FAKE_LIBRARIES = Path(__file__).with_name("fake_libraries")


@pytest.fixture
def fake_cross_encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process sentence-transformers is the one that stands in for it."""
    monkeypatch.delitem(sys.modules, "sentence_transformers", raising=False)
    monkeypatch.syspath_prepend(str(FAKE_LIBRARIES))
    importlib.import_module("sentence_transformers")
    monkeypatch.setitem(sys.modules, "sentence_transformers", sys.modules["sentence_transformers"])


@pytest.fixture(scope="session")
def one_model() -> Iterator[Embedder]:
    """Routers in this process share one built-in model: for tests of which it is no subject."""
    from toolrouter import app
    from toolrouter.config import EmbedderSettings

    make = app.make_embedder
    shared = RememberingEmbedder(make(EmbedderSettings()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "make_embedder", lambda chosen: shared if chosen.kind == "builtin" else make(chosen))
        yield shared  # type: ignore[misc]

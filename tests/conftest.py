from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
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


@pytest.fixture(scope="session")
def prepare_home(one_model: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], None]:
    """Puts into a state folder that is not there yet what every first start would compute alike, and nothing else."""
    from toolrouter.catalog.store import open_store
    from toolrouter.retrieval.search_index import build_search_index
    from toolrouter.types import Tool, ToolId

    made = tmp_path_factory.mktemp("prepared")
    store = open_store(made)
    any_tool = Tool(ToolId("a__b"), "a", "b", {"name": "b", "inputSchema": {"type": "object"}}, "", 1)
    build_search_index([any_tool], {}, embedder=one_model, store=store)
    store.close()
    database = (made / "state.db").read_bytes()

    def prepare(home: Path) -> None:
        with suppress(FileExistsError):
            home.mkdir(0o700)
            (home / "state.db").write_bytes(database)
            (home / "state.db").chmod(0o600)

    return prepare

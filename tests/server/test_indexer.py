"""What searches see while the index is being built."""

import threading
from collections.abc import Sequence

import anyio
import anyio.to_thread
import pytest

from tests.fakes_embedding import HashEmbedder
from toolrouter.catalog.memory_store import MemoryStore
from toolrouter.catalog.snapshot import Catalog, build_catalog
from toolrouter.ports import Vectors
from toolrouter.retrieval.search import SearchAnswer, SearchOptions
from toolrouter.server.indexer import LEXICAL_FIRST_ABOVE, NOT_YET, Indexer
from toolrouter.types import Server, Tool, ToolId

pytestmark = pytest.mark.anyio
WAIT_S = 20


class HeldEmbedder(HashEmbedder):
    """Embeds tools once it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        assert self.let_go.wait(WAIT_S)
        return super().embed_texts(texts)

    def embed_queries(self, queries: Sequence[str]) -> Vectors:
        return super().embed_texts(queries)


def catalog(count: int) -> Catalog:
    tools = [
        Tool(
            id=ToolId(f"files__read_{number}"),
            server="files",
            name=f"read_{number}",
            raw={"name": f"read_{number}", "description": f"Reads file {number}."},
            hash=str(number),
            tokens=9,
        )
        for number in range(count)
    ]
    return build_catalog([Server("files")], tools)


async def asked(indexer: Indexer) -> SearchAnswer:
    return await anyio.to_thread.run_sync(indexer.search, ["read file 7"], SearchOptions(min_score=0.0))


async def test_while_many_tools_are_being_embedded_words_answer_and_say_so() -> None:
    embedder = HeldEmbedder()
    found = catalog(LEXICAL_FIRST_ABOVE + 1)
    indexer = Indexer(lambda: found, MemoryStore(), lambda: embedder)
    with anyio.fail_after(WAIT_S):
        async with anyio.create_task_group() as group:
            await group.start(indexer.run)
            early = await asked(indexer)
            embedder.let_go.set()
            await indexer.wait_current()
            late = await asked(indexer)
            group.cancel_scope.cancel()
    assert (early.hits[0].id, early.warning) == ("files__read_7", NOT_YET)
    assert early.hits[0].parts["dense"] == 0
    assert (late.warning, late.hits[0].parts["dense"] > 0) == ("", True)


async def test_after_a_restart_the_first_search_has_vectors_and_none_is_made_anew() -> None:
    store, found = MemoryStore(), catalog(LEXICAL_FIRST_ABOVE + 1)
    for _ in range(2):
        embedder = HashEmbedder()
        indexer = Indexer(lambda: found, store, lambda made=embedder: made)
        with anyio.fail_after(WAIT_S):
            async with anyio.create_task_group() as group:
                await group.start(indexer.run)
                answer = await asked(indexer)
                await indexer.wait_current()
                group.cancel_scope.cancel()
    assert (answer.warning, answer.hits[0].parts["dense"] > 0) == ("", True)
    assert embedder.embedded == ["read file 7"]

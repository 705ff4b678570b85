"""What is embedded, and what is remembered."""

import logging

import numpy as np
import pytest

from tests.fakes_embedding import EmbeddingStore, HashEmbedder
from toolrouter.errors import ModelError
from toolrouter.index.embedding_cache import BATCH, embed_cached, text_key


def texts(count: int) -> list[str]:
    return [f"tool number {number}" for number in range(count)]


def test_vectors_come_in_the_order_of_the_texts() -> None:
    embedder = HashEmbedder()
    wanted = embedder.embed_texts(["b", "a", "b"])
    assert np.array_equal(embed_cached(embedder, None, ["b", "a", "b"]), wanted)


def test_a_restart_embeds_nothing() -> None:
    store, embedder = EmbeddingStore(), HashEmbedder()
    first = embed_cached(embedder, store, texts(5))
    embedder.embedded.clear()
    assert np.array_equal(embed_cached(embedder, store, texts(5)), first)
    assert embedder.embedded == []


def test_a_changed_text_embeds_only_itself() -> None:
    store, embedder = EmbeddingStore(), HashEmbedder()
    embed_cached(embedder, store, texts(5))
    embedder.embedded.clear()
    embed_cached(embedder, store, [*texts(4), "another"])
    assert embedder.embedded == ["another"]


def test_equal_texts_are_embedded_once() -> None:
    embedder = HashEmbedder()
    embed_cached(embedder, None, ["same", "same"])
    assert embedder.embedded == ["same"]


def test_another_model_shares_nothing() -> None:
    store = EmbeddingStore()
    embed_cached(HashEmbedder(name="one"), store, ["text"])
    other = HashEmbedder(name="two")
    embed_cached(other, store, ["text"])
    assert other.embedded == ["text"]


def test_known_vectors_are_not_looked_up() -> None:
    store, embedder = EmbeddingStore(), HashEmbedder()
    store.fails_reading = True
    known = {text_key("a"): embedder.embed_texts(["a"])[0]}
    embedder.embedded.clear()
    embed_cached(embedder, None, ["a"], known=known)
    assert embedder.embedded == []


def test_an_interrupted_run_goes_on_where_it_stopped() -> None:
    store, embedder = EmbeddingStore(), HashEmbedder()
    embedder.fails_after = 2
    with pytest.raises(ModelError):
        embed_cached(embedder, store, texts(3 * BATCH))
    assert len(store.vectors) == 2 * BATCH
    embedder.fails_after = None
    embedder.embedded.clear()
    embed_cached(embedder, store, texts(3 * BATCH))
    assert embedder.embedded == texts(3 * BATCH)[2 * BATCH :]


def test_progress_counts_what_is_new() -> None:
    store, embedder = EmbeddingStore(), HashEmbedder()
    embed_cached(embedder, store, texts(10))
    heard: list[tuple[int, int]] = []
    embed_cached(embedder, store, texts(10 + BATCH + 1), lambda done, total: heard.append((done, total)))
    assert heard == [(BATCH, BATCH + 1), (BATCH + 1, BATCH + 1)]


def test_a_full_disk_costs_a_warning_alone(caplog: pytest.LogCaptureFixture) -> None:
    store, embedder = EmbeddingStore(), HashEmbedder()
    store.fails_saving = True
    with caplog.at_level(logging.WARNING):
        vectors = embed_cached(embedder, store, texts(BATCH + 1))
    assert len(vectors) == BATCH + 1
    assert caplog.text.count("disk is full") == 1


def test_an_unreadable_store_costs_a_warning_alone(caplog: pytest.LogCaptureFixture) -> None:
    store = EmbeddingStore()
    store.fails_reading = True
    with caplog.at_level(logging.WARNING):
        assert len(embed_cached(HashEmbedder(), store, texts(2))) == 2
    assert "corrupt" in caplog.text


def test_a_stored_vector_of_another_length_is_made_again() -> None:
    store, embedder = EmbeddingStore(), HashEmbedder(dimensions=8)
    store.vectors["hash", text_key("a")] = np.zeros(3, np.float32)
    assert embed_cached(embedder, store, ["a"]).shape == (1, 8)


def test_no_texts_have_no_vectors() -> None:
    assert embed_cached(HashEmbedder(dimensions=8), EmbeddingStore(), []).shape == (0, 8)

"""The model inside the package."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from toolrouter.errors import ModelError
from toolrouter.index.model_files import builtin_folder, read_manifest, verify_files
from toolrouter.index.onnx_embedder import OnnxEmbedder

TEXTS = [
    "github. create issue. Open a new issue in a repository. owner, repo, title, body, labels",
    "slack. post message. Post a message to a channel. channel id, text",
    "filesystem. read file. Read the complete contents of a file. path, head, tail",
    "postgres. query. Run a read-only SQL query. sql",
    "time. convert time. Convert a time between time zones. source timezone, time, target timezone",
]
QUERIES = [
    "file a bug on GitHub",
    "tell the team in Slack",
    "what is in notes.txt",
    "how many rows has orders",
    "当前时间",
]


@pytest.fixture(scope="module")
def embedder() -> OnnxEmbedder:
    return OnnxEmbedder(threads=1)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(builtin_folder(), tmp_path / "model"))


def test_texts_and_queries_become_unit_vectors(embedder: OnnxEmbedder) -> None:
    vectors = np.concatenate([embedder.embed_texts(TEXTS), embedder.embed_queries(QUERIES)])
    assert vectors.shape == (len(TEXTS) + len(QUERIES), embedder.dimensions)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)


def test_each_query_is_nearest_to_the_tool_that_serves_it(embedder: OnnxEmbedder) -> None:
    similarities = embedder.embed_queries(QUERIES[:4]) @ embedder.embed_texts(TEXTS).T
    assert similarities.argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_a_text_has_one_vector_whatever_it_is_embedded_with_and_by_how_many_threads(embedder: OnnxEmbedder) -> None:
    texts = [text * (1 + at % 3) for at, text in enumerate(TEXTS * 4)]
    for embed, by_three in (
        (embedder.embed_texts, OnnxEmbedder(threads=3).embed_texts),
        (embedder.embed_queries, OnnxEmbedder(threads=3).embed_queries),
    ):
        alone = np.concatenate([embed([text]) for text in texts])
        assert np.array_equal(embed(texts), alone)
        assert np.array_equal(by_three(texts), alone)


@pytest.mark.parametrize("query", ["", " ", "\x00", "\ud800", "x" * 1_000_000, "🙂" * 5_000])
def test_any_text_has_a_vector(embedder: OnnxEmbedder, query: str) -> None:
    assert np.isfinite(embedder.embed_queries([query])).all()


def test_no_texts_have_no_vectors(embedder: OnnxEmbedder) -> None:
    assert embedder.embed_texts([]).shape == (0, embedder.dimensions)


def test_the_name_changes_with_the_model_and_the_tool_text(copy: Path) -> None:
    before = OnnxEmbedder(folder=copy).name
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"]["model.onnx"]["sha256"] = "0" * 64
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert OnnxEmbedder(folder=copy).name != before
    assert "-text" in before


def test_the_shipped_files_are_what_the_manifest_says() -> None:
    verify_files(builtin_folder())
    assert read_manifest(builtin_folder()).dimensions == 384


def test_a_model_may_do_without_maps_and_is_then_another_one(copy: Path) -> None:
    turned = OnnxEmbedder(folder=copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    del manifest["files"]["maps.npz"]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    plain = OnnxEmbedder(folder=copy)
    assert plain.name != turned.name
    cosine = float((plain.embed_queries(["refund a payment"]) @ turned.embed_queries(["refund a payment"]).T).item())
    assert 0.5 < cosine < 0.999


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "manifest.json", "maps.npz"])
def test_a_missing_file_is_named_with_the_fix(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(ModelError, match=rf"{name}.*Reinstall toolrouter"):
        OnnxEmbedder(folder=copy)


def test_a_file_cut_short_is_noticed_before_it_is_read(copy: Path) -> None:
    (copy / "model.onnx").write_bytes(b"\x00" * 100)
    with pytest.raises(ModelError, match="100 bytes long"):
        OnnxEmbedder(folder=copy)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"name": "x"}', "\x00"])
def test_an_unreadable_manifest_is_an_error_of_ours(copy: Path, content: str) -> None:
    (copy / "manifest.json").write_text(content)
    with pytest.raises(ModelError, match="cannot be read"):
        OnnxEmbedder(folder=copy)


@pytest.mark.parametrize(
    ("name", "says"),
    [("model.onnx", "corrupt"), ("tokenizer.json", "cannot be loaded"), ("maps.npz", "cannot be loaded")],
)
def test_a_corrupt_file_is_an_error_of_ours_at_the_first_text(copy: Path, name: str, says: str) -> None:
    size = (copy / name).stat().st_size
    (copy / name).write_bytes(b"\x00" * size)
    with pytest.raises(ModelError, match=says):
        OnnxEmbedder(folder=copy).embed_queries(["text"])


def test_the_runtime_reports_nothing_and_gives_the_machine_no_number(tmp_path: Path) -> None:
    code = "from toolrouter.index.onnx_embedder import OnnxEmbedder; OnnxEmbedder().embed_texts(['a'])"
    # As on a person's machine: the runtime keeps silent by itself where it takes itself to be under test.
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH")}
    home = {name: str(tmp_path) for name in ("HOME", "USERPROFILE", "XDG_CACHE_HOME", "LOCALAPPDATA")}
    subprocess.run([sys.executable, "-c", code], env={**kept, **home}, cwd=tmp_path, check=True, timeout=60)
    assert list(tmp_path.rglob("*")) == []

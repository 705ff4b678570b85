"""The files in `toolrouter/data/model`: whole, small enough, and made for this tool text."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from indexes.evaluate_model import Embed, shipped_model
from toolrouter.catalog.text import TOOL_TEXT_VERSION, tool_text
from toolrouter.index.embedding_cache import text_key
from toolrouter.index.onnx_embedder import OnnxEmbedder
from toolrouter.index.shipped_vectors import shipped_vectors
from toolrouter.retrieval.capabilities import capabilities

FOLDER = Path(__file__).parents[2] / "toolrouter" / "data" / "model"
TOOLS = {
    "refund": tool_text(server="stripe", name="create_refund", description="Refund a payment.", input_schema=None),
    "forecast": tool_text(server="weather", name="get_forecast", description="Weather of a city.", input_schema=None),
    "delete": tool_text(server="disk", name="delete_file", description="Delete a file.", input_schema=None),
}


@pytest.fixture(scope="module")
def embed() -> Embed:
    return shipped_model(FOLDER)


@pytest.fixture(scope="module")
def manifest() -> dict:
    return json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))


def test_the_files_are_those_of_the_manifest(manifest: dict) -> None:
    for name, file in manifest["files"].items():
        content = (FOLDER / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"])


def test_the_model_stays_under_25_megabytes() -> None:
    assert (FOLDER / "model.onnx").stat().st_size <= 25_000_000


def test_the_model_was_trained_for_the_tool_text_of_this_version(manifest: dict) -> None:
    assert manifest["tool_text_version"] == TOOL_TEXT_VERSION


def test_vectors_have_unit_length_and_the_promised_dimensions(embed: Embed, manifest: dict) -> None:
    vectors = embed(["send a message", "", "天气预报", "x " * 3_000])
    assert vectors.shape == (4, manifest["dimensions"])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)


@pytest.mark.parametrize(
    ("query", "tool"),
    [
        ("give a customer their money back", "refund"),
        ("will it rain in Lyon tomorrow?", "forecast"),
        ("get rid of notes.txt", "delete"),
        ("delte fiel", "delete"),
        ("rembourser un client", "refund"),
        ("eine Datei löschen", "delete"),
        ("明天的天气", "forecast"),
        ("удалить файл", "delete"),
    ],
)
def test_a_query_is_nearest_to_the_tool_that_serves_it(embed: Embed, query: str, tool: str) -> None:
    scores = embed([query]) @ embed(list(TOOLS.values())).T
    assert list(TOOLS)[int(scores.argmax())] == tool


def test_the_lines_that_every_catalog_is_compared_with_come_embedded() -> None:
    known = shipped_vectors(OnnxEmbedder().name)
    assert [line for line in capabilities() if text_key(line) not in known] == []
    lines = capabilities()[:20]
    embedded = OnnxEmbedder().embed_texts(lines)
    assert min(float(known[text_key(line)] @ vector) for line, vector in zip(lines, embedded, strict=True)) > 0.98


def test_vectors_of_another_model_are_not_taken() -> None:
    assert shipped_vectors("somebody-elses-model") == {}

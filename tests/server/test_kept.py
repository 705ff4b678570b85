"""Long results: kept whole, shown by their head, read in parts."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from toolrouter.config import ResultSettings
from toolrouter.errors import NotFound
from toolrouter.server.kept import KeptResults
from toolrouter.server.reading import read_reading, render_part
from toolrouter.server.requests import BadRequest
from toolrouter.server.shapes import pick, shape
from toolrouter.types import JsonObject

pytestmark = pytest.mark.anyio
ROWS = {"total": 2000, "items": [{"id": number, "name": f"row {number}"} for number in range(2000)]}
IMAGE = {"type": "image", "data": "aGk=", "mimeType": "image/png"}
LONG: JsonObject = {"content": [{"type": "text", "text": json.dumps(ROWS)}, IMAGE], "_meta": {"x": 1}}


def kept(folder: Path, **settings: float) -> KeptResults:
    return KeptResults(ResultSettings(max_tokens=500, **settings), folder / "results")


def handle_of(result: JsonObject) -> str:
    return str(result["content"][0]["text"]).split("kept as ")[1].split(".")[0]


async def test_a_short_result_is_passed_on_as_it_is(tmp_path: Path) -> None:
    short = {"content": [{"type": "text", "text": "short"}, {**IMAGE, "data": "A" * 100_000}]}
    assert await kept(tmp_path).shortened(short) is short


async def test_a_long_result_shows_its_head_its_shape_and_how_to_go_on(tmp_path: Path) -> None:
    results = kept(tmp_path)
    shown = await results.shortened(LONG)
    text = shown["content"][0]["text"]
    assert text.startswith(json.dumps(ROWS)[:6_000])
    assert "{total: int, items: [2000 x {id: int, name: str(5)}]}" in text
    assert "6,000 of" in text
    assert shown["content"][1] == IMAGE
    assert shown["_meta"] == {"x": 1}
    assert await results.load(handle_of(shown)) == LONG


async def test_nothing_of_a_kept_result_is_out_of_reach(tmp_path: Path) -> None:
    results = kept(tmp_path)
    handle = handle_of(await results.shortened(LONG))
    whole, page = "", 1
    while True:
        part = render_part(await results.load(handle), read_reading({"id": handle, "page": page}))
        whole += part.rpartition("\n\n[")[0] or part
        if "go on with offset" not in part:
            break
        page += 1
    assert whole == json.dumps(ROWS)


async def test_lines_and_parts_of_the_structure_are_found(tmp_path: Path) -> None:
    assert render_part(LONG, read_reading({"id": "r", "path": "$.items[1998:].name"})) == '"row 1998"\n"row 1999"'
    lines = {"content": [{"type": "text", "text": "one\nTwo here\nthree"}]}
    assert render_part(lines, read_reading({"id": "r", "grep": "two"})) == "4: Two here"
    with pytest.raises(BadRequest, match="plain text"):
        render_part(lines, read_reading({"id": "r", "path": "a"}))


async def test_kept_results_expire_and_foreign_names_reach_no_file(tmp_path: Path) -> None:
    results = kept(tmp_path, keep_s=60)
    handle = handle_of(await results.shortened(LONG))
    path = tmp_path / "results" / f"{handle}.json"
    assert path.stat().st_mode & 0o077 == 0
    os.utime(path, (1, 1))
    for name in (handle, "../state", "r0000000000000000"):
        with pytest.raises(NotFound, match="expired"):
            await results.load(name)
    await results.shortened(LONG)
    assert not path.exists()


def test_shapes_and_paths() -> None:
    assert shape([{"a": None, "b": [1.5]}, 2]) == "[2 x {a: null, b: [1 x float]}]"
    assert pick({"a": [{"b": 1}, {"b": 2}]}, "a[*].b") == [1, 2]
    assert pick({"a b": {"c": 3}}, "$['a b'].c") == [3]
    assert pick([1, 2, 3], "[-1]") == [3]
    with pytest.raises(ValueError, match="cannot be read"):
        pick({}, "a[?(@.b)]")

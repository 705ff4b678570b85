import json
from pathlib import Path

import pytest

from toolrouter.errors import ConfigError
from toolrouter.evaluation.sets import read_queries, read_set, read_tools

TOOL = {"id": "arxiv/cite me#1", "server": "arxiv", "name": "cite", "description": "Cites.", "input_schema": None}


def lines(path: Path, *rows: object) -> Path:
    texts = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(texts), encoding="utf-8")
    return path


def test_ids_are_arbitrary_strings_and_a_schema_may_be_missing(tmp_path: Path) -> None:
    (tool,) = read_tools(lines(tmp_path / "tools.jsonl", TOOL))
    assert tool.id == "arxiv/cite me#1"
    assert tool.input_schema == {"type": "object"}
    assert tool.description == "Cites."


def test_a_query_carries_what_is_known_about_it(tmp_path: Path) -> None:
    row = {"id": "q", "query": "x", "relevant": ["a", "a"], "alt": {"a": ["b"], "c": []}, "subqueries": ["y"]}
    (query,) = read_queries(lines(tmp_path / "q.jsonl", row | {"kind": "multi", "split": "dev"}))
    assert query.relevant == ("a",)
    assert query.alt == {"a": ("b",)}
    assert (query.subqueries, query.kind) == (("y",), "multi")


def test_a_byte_order_mark_and_blank_lines_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "tools.jsonl"
    path.write_text("\ufeff" + json.dumps(TOOL) + "\n\n", encoding="utf-8")
    assert len(read_tools(path)) == 1


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{nonsense", ":2: is not JSON"),
        ("[1]", ":2: must be a JSON object"),
        ({"name": "x"}, ":2: `id` must be a string, and is nothing"),
        ({"id": 3, "name": "x"}, ":2: `id` must be a string, and is 3"),
        ({"id": "x", "name": "x", "input_schema": "none"}, ":2: `input_schema` must be an object or null"),
        (TOOL, ":2: a second tool has the id"),
    ],
)
def test_a_bad_tool_row_names_file_line_and_key(tmp_path: Path, row: object, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_tools(lines(tmp_path / "tools.jsonl", TOOL, row))
    assert f"tools.jsonl{says}" in str(caught.value)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"id": "q", "query": "x"}, "`relevant` must be a list of tool ids (empty when no tool fits), and is nothing"),
        ({"id": "q", "query": "x", "relevant": "a"}, '`relevant` must be a list of strings, and is "a"'),
        ({"id": "q", "query": "x", "relevant": [], "alt": ["a"]}, "`alt` must be an object"),
        ({"id": "q", "relevant": []}, "`query` must be a string"),
    ],
)
def test_a_bad_query_row_names_file_line_and_key(tmp_path: Path, row: object, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_queries(lines(tmp_path / "q.jsonl", row))
    assert f"q.jsonl:1: {says}" in str(caught.value)


def test_a_missing_or_empty_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.jsonl: cannot be read"):
        read_tools(tmp_path / "none.jsonl")
    with pytest.raises(ConfigError, match=r"q\.jsonl: holds no queries"):
        read_queries(lines(tmp_path / "q.jsonl"))
    (tmp_path / "b.jsonl").write_bytes(b"\xff\xfe{}")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        read_tools(tmp_path / "b.jsonl")


def test_gold_that_no_tool_carries_is_kept_and_told(tmp_path: Path) -> None:
    tools = lines(tmp_path / "tools.jsonl", TOOL)
    queries = lines(tmp_path / "q.jsonl", {"id": "q", "query": "x", "relevant": ["gone"]})
    found = read_set(tools, queries)
    assert found.queries[0].relevant == ("gone",)
    assert f"1 gold id is in no row of {tools}, counted as missed: gone" in found.warnings[0]
    queries = lines(tmp_path / "q.jsonl", {"id": "q", "query": "x", "relevant": ["gone", "away"]})
    assert (
        f"2 gold ids are in no row of {tools}, counted as missed, such as away" in read_set(tools, queries).warnings[0]
    )


def test_twins_of_what_is_not_gold_are_told_since_they_count_for_nothing(tmp_path: Path) -> None:
    tools = lines(tmp_path / "tools.jsonl", TOOL)
    row = {"id": "q7", "query": "x", "relevant": [TOOL["id"]], "alt": {"misspelt": [TOOL["id"]]}}
    (warning,) = read_set(tools, lines(tmp_path / "q.jsonl", row)).warnings
    assert "q7" in warning
    assert "twins" in warning


def test_a_set_is_called_like_its_folder_wherever_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines(tmp_path / "tools.jsonl", TOOL)
    lines(tmp_path / "q.jsonl", {"id": "q", "query": "x", "relevant": []})
    assert read_set(Path("tools.jsonl"), Path("q.jsonl")).name == tmp_path.name

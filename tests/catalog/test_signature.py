from __future__ import annotations

import time
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.catalog.making import tool
from toolrouter.catalog.signature import LOSSY, MAX_CHARS, first_sentence, signature
from toolrouter.types import Tool, ToolId

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
keywords = st.sampled_from(
    [
        "type",
        "properties",
        "required",
        "items",
        "enum",
        "const",
        "anyOf",
        "oneOf",
        "allOf",
        "$ref",
        "additionalProperties",
    ]
)
schema_values = st.recursive(
    json_values
    | st.sampled_from(["object", "array", "string", "null", "#/properties/a", "#/a/0", "#", ["string", "null"]]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keywords | st.text(max_size=4), inner, max_size=5),
    max_leaves=25,
)


def shown(properties: Any, description: str = "", **schema: Any) -> str:
    raw = {
        "name": "t",
        "description": description,
        "inputSchema": {"type": "object", "properties": properties, **schema},
    }
    return signature(tool("s", raw)).removeprefix("s__t")


def parameter(node: Any, **root: Any) -> str:
    return shown({"a": node}, **root).removeprefix("(a: ").removesuffix(")")


def test_a_signature_says_what_a_caller_needs():
    text = {"type": "string"}
    raw = {
        "name": "create_issue",
        "description": "Create an issue in a repository.\n\nLong explanation. More.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "labels": {"type": "array", "items": text},
                "owner": text,
                "repo": text,
                "state": {"enum": ["open", "closed"]},
                "title": {"type": ["string", "null"]},
            },
            "required": ["owner", "repo", "title"],
        },
    }
    assert signature(tool("github", raw)) == (
        'github__create_issue(owner*: str, repo*: str, title*: str, labels: [str], state: "open"|"closed")'
        " - Create an issue in a repository"
    )


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"type": "string"}, "str"),
        ({"type": "integer"}, "int"),
        ({"type": "number"}, "num"),
        ({"type": "boolean"}, "bool"),
        ({"type": "array"}, "[any]"),
        ({"type": "object"}, "object"),
        ({}, "any"),
        (True, "any"),
        ({"type": "nonsense"}, "any"),
        ({"const": 3}, "3"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "str"),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, "str|int"),
        ({"allOf": [{"type": "integer"}]}, "int"),
        ({"allOf": [{"type": "object"}, {"required": ["x"]}]}, "{…}"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "{str: int}"),
        ({"properties": {"b": {"type": "string"}, "c": {"type": "integer"}}, "required": ["c"]}, "{c*: int, b}"),
        ({"items": {"type": "array", "items": {"type": "integer"}}}, "[[int]]"),
        ({"$ref": "#/$defs/kind"}, '"x"|"y"'),
        ({"$ref": "#/$defs/gone"}, "…"),
        ({"$ref": "https://example.com/schema"}, "…"),
        ({"$ref": "#/properties/a"}, "…"),
    ],
)
def test_types_are_short(node: Any, expected: str):
    assert parameter(node, **{"$defs": {"kind": {"enum": ["x", "y"]}}}) == expected


def test_a_long_enum_is_cut_and_marked():
    assert parameter({"enum": [f"value-{number}" for number in range(100)]}).endswith(f"|{LOSSY}")


def test_deep_objects_are_summarised_and_marked():
    node: dict[str, Any] = {"type": "string"}
    for name in "edcb":
        node = {"type": "object", "properties": {name: node}}
    assert parameter(node) == "{b: {c: {d: {…}}}}"


def test_many_parameters_are_counted_and_required_ones_come_first():
    properties = {f"parameter_number_{number}": {"type": "string"} for number in range(200)}
    found = shown(properties, required=["parameter_number_150"])
    assert found.startswith("(parameter_number_150*: str, parameter_number_0: str")
    assert f", {LOSSY} +" in found
    assert len(found) < MAX_CHARS


def test_a_parameter_too_large_to_show_is_named_and_marked_when_required():
    node = {"enum": [[], {}], "anyOf": [{"properties": {f"field_{n}_{m}": {} for n in range(8)}} for m in range(4)]}
    huge = {"properties": {f"group_{number}": {"properties": node["anyOf"][0]["properties"]} for number in range(8)}}
    assert shown({"small": {"type": "integer"}, "huge": huge}, required=["huge"]) == "(huge*: …, small: int)"


def test_strange_parameter_names_are_quoted():
    assert (
        shown({"a b": {"type": "string"}, "c<": {"type": "integer"}, "d, e*": {}})
        == '("a b": str, c<: int, "d, e*": any)'
    )


def test_hidden_characters_never_show():
    hidden = "\u202e\u200b\U000e0041\x1b[0m\n"
    raw = {
        "name": f"n{hidden}",
        "description": f"De{hidden}scription",
        "inputSchema": {"properties": {f"p{hidden}": {"enum": [f"v{hidden}"]}}},
    }
    line = signature(tool("s", raw))
    assert not {unicodedata.category(character) for character in line} & {"Cc", "Cf", "Cs", "Co"}
    assert LOSSY in line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Reads a file. Then more.", "Reads a file"),
        ("Reads a file (e.g. a text). Then more.", "Reads a file (e.g. a text)"),
        ("Reads v1.2 files.", "Reads v1.2 files"),
        ("\n    Reads a\n    file.\n\n    Args:", "Reads a file"),
        ("# Title\nReads", "Title Reads"),
        ("<usecase>Reads a file</usecase>", "Reads a file</usecase>"),
        ("Lists things:\n- one\n- two", "Lists things"),
        ("Read-only. Gets a workout. Then more.", "Read-only. Gets a workout"),
        ("DEPRECATED! Use others", "DEPRECATED! Use others"),
        ("Search.", "Search"),
        ("", ""),
    ],
)
def test_the_first_sentence_of_a_description_is_taken(text: str, expected: str):
    assert first_sentence(text) == expected


def test_a_tool_without_description_shows_its_title():
    assert signature(tool("s", {"name": "t", "title": "The title"})) == "s__t() - The title"


@given(json_values, schema_values, json_values)
def test_any_json_gives_one_bounded_line(description: Any, schema: Any, title: Any):
    raw = {"name": "n", "description": description, "inputSchema": schema, "title": title, "annotations": schema}
    line = signature(Tool(ToolId("s__n"), "s", "n", raw, "", 0))
    assert line.startswith("s__n(")
    assert line.isprintable()
    assert len(line) <= MAX_CHARS + 160


@given(schema_values, st.integers(0, 600))
def test_any_limit_is_accepted(schema: Any, limit: int):
    assert signature(tool("s", {"name": "n", "inputSchema": {"properties": {"a": schema}}}), max_chars=limit)


def test_a_schema_made_to_explode_is_read_in_bounded_time():
    fields = {f"f{number}": {"$ref": "#/$defs/next"} for number in range(8)}
    bomb = {"anyOf": [{"properties": fields}] * 8}
    schema = {
        "properties": {str(number): bomb for number in range(400)},
        "required": [str(number) for number in range(400)],
        "$defs": {"next": bomb},
    }
    begun = time.process_time()
    assert LOSSY in signature(Tool(ToolId("s__n"), "s", "n", {"inputSchema": schema}, "", 0))
    assert time.process_time() - begun < 1

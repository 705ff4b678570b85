from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolrouter.upstream.normalise import normalise, presentable


def reasons(*tools: Any, modern: bool = False) -> list[str]:
    return [refusal.reason for refusal in normalise("s", tools, modern=modern)[1]]


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"items": schema}
    return {"name": "deep", "inputSchema": {"type": "object", **schema}}


@pytest.mark.parametrize(
    ("tool", "reason"),
    [
        ("text", "the definition is not an object"),
        ({}, "it has no name"),
        ({"name": 7}, "its name is not a text"),
        ({"name": ""}, "its name is empty"),
        ({"name": "a\x1b[2J"}, "its name contains characters that cannot be shown"),
        ({"name": "n" * 257}, "its name is longer than 256 characters"),
        ({"name": "a", "description": 5}, "its description is not text"),
        ({"name": "a", "annotations": []}, "its annotations is not an object"),
        ({"name": "a", "inputSchema": "none"}, "its inputSchema is not an object"),
        (
            {"name": "a", "inputSchema": {"type": "array"}},
            'its inputSchema describes "array", but arguments are an object',
        ),
        ({"name": "a", "description": "\ud800"}, "it contains text that is not valid Unicode"),
        ({"name": "a", "description": "x" * 2**20}, "its definition of 1,048,605 bytes is over the limit of 1,048,576"),
        ({"name": "a", "inputSchema": {"enum": [0] * 50_000}}, "it has more than 50,000 parts"),
        (nested(120), "it is nested more than 100 levels deep"),
    ],
)
def test_a_malformed_definition_is_refused_with_the_reason(tool: Any, reason: str) -> None:
    served, refused = normalise("s", [{"name": "before"}, tool, {"name": "after"}], modern=False)
    assert [tool["name"] for tool in served] == ["before", "after"]
    assert [refusal.reason for refusal in refused] == [reason]


def test_of_two_tools_with_one_name_the_first_is_served() -> None:
    served, refused = normalise("s", [{"name": "a", "n": 1}, {"name": "a", "n": 2}], modern=False)
    assert served == [{"name": "a", "n": 1}]
    assert refused[0].name == "a"
    assert "came first" in refused[0].reason


def test_definitions_are_served_verbatim_and_presented_repaired() -> None:
    raw = {"name": "a", "title": None, "x-vendor": None, "inputSchema": {"properties": {}}}
    ((served,), _) = normalise("s", [raw], modern=False)
    assert served is raw
    assert presentable(raw) == {"name": "a", "x-vendor": None, "inputSchema": {"properties": {}, "type": "object"}}
    assert presentable({"name": "b"})["inputSchema"] == {"type": "object"}
    assert presentable({"name": "c", "inputSchema": {"type": ["object", "null"]}})["inputSchema"] == {"type": "object"}


def header(**schema: Any) -> dict[str, Any]:
    return {"name": "a", "inputSchema": {"type": "object", **schema}}


GOOD = {"type": "string", "x-mcp-header": "Region"}


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        (header(properties={"a": {"type": "number", "x-mcp-header": "A"}}), "no string, integer or boolean"),
        (header(properties={"a": {"type": "string", "x-mcp-header": "a b"}}), "not a valid header name"),
        (header(properties={"a": {"type": "string", "x-mcp-header": 5}}), "not a valid header name"),
        (header(properties={"a": GOOD, "b": {**GOOD, "x-mcp-header": "REGION"}}), "used twice"),
        (header(properties={"a": {"type": "array", "items": GOOD}}), "not on a plain property"),
        (header(**{"x-mcp-header": "A"}), "not on a plain property"),
        (header(**{"$defs": {"d": GOOD}}), "not on a plain property"),
    ],
)
def test_an_invalid_header_annotation_costs_the_tool_in_the_new_era_only(tool: Any, words: str) -> None:
    assert words in reasons(tool, modern=True)[0]
    assert not reasons(tool, modern=False)


def test_header_annotations_on_properties_are_fine_and_data_is_no_annotation() -> None:
    nested_object = {"type": "object", "properties": {"in": {**GOOD, "x-mcp-header": "Inner"}}}
    tool = header(properties={"a": GOOD, "b": nested_object, "c": {"default": {"x-mcp-header": 9}, "enum": [GOOD]}})
    assert not reasons(tool, modern=True)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "inputSchema", "type", "properties", "x-mcp-header", "q"]), inner)
    ),
    max_leaves=15,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(anything, max_size=6), st.booleans())
def test_whatever_comes_each_definition_is_either_served_or_refused(tools: list[Any], modern: bool) -> None:
    served, refused = normalise("s", tools, modern=modern)
    assert len(served) + len(refused) == len(tools)
    assert len({tool["name"] for tool in served}) == len(served)
    for tool in served:
        assert presentable(tool)["inputSchema"]["type"] == "object"

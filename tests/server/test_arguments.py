from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator, Draft7Validator, Draft202012Validator

from tests.fakes import definition, make_tool
from toolrouter.server.arguments import MAX_FAULTS, ArgumentChecks, as_object
from toolrouter.types import JsonObject


def faults(schema: Any, arguments: JsonObject) -> list[str]:
    raw = definition("t", "T.")
    raw["inputSchema"] = schema
    return ArgumentChecks().faults(make_tool("s", raw), arguments)


def test_fitting_arguments_have_no_faults() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    assert faults(schema, {"n": 3, "more": "is allowed"}) == []


def test_null_for_an_optional_argument_is_the_servers_business() -> None:
    fields = {"n": {"type": "integer"}, "m": {"type": "integer"}}
    assert faults({"type": "object", "properties": fields}, {"n": None, "m": 1}) == []
    assert faults({"type": "object", "properties": fields, "required": ["n"]}, {"n": None}) != []


def test_a_fault_names_the_place_and_what_is_wrong() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"enum": ["x", "y"]}}}}
    assert faults(schema, {"a": ["x", "z"]}) == ["a.1: 'z' is not one of ['x', 'y']"]


def test_faults_are_few_and_short() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": {"type": "integer"}}
    found = faults(schema, {str(number): "x" * 100_000 for number in range(100)})
    assert len(found) == MAX_FAULTS
    assert all(len(fault) < 300 for fault in found)


@pytest.mark.parametrize(
    "dialect",
    [
        "http://json-schema.org/draft-04/schema#",
        "http://json-schema.org/draft-07/schema#",
        "https://json-schema.org/draft/2019-09/schema",
        "https://json-schema.org/draft/2020-12/schema",
        "https://example.com/unheard-of",
        7,
    ],
)
def test_every_dialect_is_checked(dialect: object) -> None:
    schema = {"$schema": dialect, "type": "object", "properties": {"n": {"type": "integer"}}}
    assert faults(schema, {"n": "x"}) == ["n: 'x' is not of type 'integer'"]


def test_local_references_are_followed() -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"$ref": "#/$defs/count"}},
        "$defs": {"count": {"type": "integer", "minimum": 1}},
    }
    assert faults(schema, {"n": 0}) == ["n: 0 is less than the minimum of 1"]


@pytest.mark.parametrize("reference", ["http://127.0.0.1:9/schema.json", "file:///etc/passwd", "#/$defs/missing"])
def test_a_reference_to_elsewhere_is_never_fetched_and_leaves_the_call_unchecked(reference: str) -> None:
    assert faults({"type": "object", "properties": {"n": {"$ref": reference}}}, {"n": 1}) == []


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {"type": "nonsense"},
        {"type": "object", "properties": 3},
        {"type": "object", "required": None},
        {"type": "object", "properties": {"n": {"minimum": "low"}}},
        {"type": "object", "properties": {"n": []}},
        {"$ref": "#"},
        {"type": "object", "properties": {"n": {"pattern": "("}}},
        {"type": "object", "properties": {"n": {"multipleOf": 0}}},
    ],
)
def test_a_schema_that_makes_no_sense_leaves_the_call_unchecked(schema: object) -> None:
    assert faults(schema, {"n": 1}) == []


def bomb(depth: int) -> JsonObject:
    steps = {
        f"s{level}": {"anyOf": [{"$ref": f"#/$defs/s{level + 1}"}, {"$ref": f"#/$defs/s{level + 1}"}]}
        for level in range(depth)
    }
    return {"type": "object", "properties": {"n": {"$ref": "#/$defs/s0"}}, "$defs": {**steps, f"s{depth}": False}}


@pytest.mark.parametrize(
    ("schema", "arguments"),
    [
        (bomb(40), {"n": 1}),
        ({"properties": {"n": {"multipleOf": 0.1}}}, {"n": 10**400}),
        ({"properties": {"n": {"pattern": "^(a+)+$"}}}, {"n": "a" * 40 + "!"}),
        ({"patternProperties": {"^(a+)+$": {}}, "additionalProperties": False}, {"a" * 40 + "!": 1}),
        ({"properties": {"n": {"uniqueItems": True}}}, {"n": [{"i": number} for number in range(20_000)]}),
        ({"properties": {"n": {"items": {"type": "integer"}}}}, {"n": list(range(1_000_000))}),
    ],
)
def test_a_hostile_schema_costs_little_and_leaves_the_call_unchecked(schema: JsonObject, arguments: JsonObject) -> None:
    started = time.process_time()
    assert faults(schema, arguments) == []
    assert time.process_time() - started < 5


KEYWORDS = sorted(
    {*Draft202012Validator.VALIDATORS, *Draft7Validator.VALIDATORS, *Draft4Validator.VALIDATORS}
    | {"$id", "$anchor", "$schema", "$defs", "$dynamicAnchor"}
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.sampled_from([0, -1, 10**400, 0.1, "", "#", "#/$defs/a", "(", "object", "urn:x#y"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from([*KEYWORDS, "n"]), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=300)
@given(schema=st.dictionaries(st.sampled_from(KEYWORDS), VALUES, max_size=4), value=VALUES)
def test_no_schema_makes_the_check_break(schema: JsonObject, value: object) -> None:
    assert len(faults({"type": "object", "properties": {"n": schema}}, {"n": value})) <= MAX_FAULTS


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, {}),
        ("", {}),
        ({"a": 1}, {"a": 1}),
        ('{"a": 1}', {"a": 1}),
        ("[1]", None),
        ("{oops", None),
        ("[" * 100_000, None),
        ([], None),
        (3, None),
    ],
)
def test_arguments_are_an_object_or_the_json_text_of_one(given: object, expected: JsonObject | None) -> None:
    assert as_object(given) == expected


@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef", "$recursiveRef", "$schema", "$id"])
def test_nobody_hears_of_a_check(keyword: str) -> None:
    heard: list[str] = []

    class Schemas(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Schemas) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        there = f"http://127.0.0.1:{server.server_port}/schema.json"
        for schema in (
            {"properties": {"n": {keyword: there}}},
            {keyword: there, "properties": {"n": {"$ref": "other.json#/x"}}},
            {"$defs": {"d": {keyword: there}}, "properties": {"n": {"$ref": "#/$defs/d"}}},
        ):
            faults(schema, {"n": 1})
        server.shutdown()
    assert heard == []

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolrouter.guard.fingerprint import MAX_DEPTH, examine, fingerprint

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(), max_size=5), inner, max_size=4)
    ),
    max_leaves=15,
)
definitions = st.dictionaries(st.text(max_size=6), values, max_size=6)

FULL: dict[str, Any] = {
    "name": "read",
    "title": "Read",
    "description": "Reads a file",
    "inputSchema": {
        "type": "object",
        "properties": {"path": {"type": "string", "description": "Where", "pattern": "^/", "default": "/"}},
        "required": ["path"],
        "$defs": {"kind": {"enum": ["a", "b"], "const": 9007199254740993, "maximum": 1.5}},
    },
    "outputSchema": {"type": "object"},
    "annotations": {"readOnlyHint": True},
    "icons": [{"src": "data:,"}],
    "_meta": {"vendor/x": None},
}


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return [reversed_keys(element) for element in value] if isinstance(value, list) else value


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, element in below for found in leaves(element, (*path, key)))]


def with_change(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[path[0]] = with_change(value[path[0]], path[1:], new)
    return changed


def without(value: Any, path: tuple[Any, ...]) -> Any:
    changed = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1:
        del changed[path[0]]
    else:
        changed[path[0]] = without(value[path[0]], path[1:])
    return changed


@given(definitions)
def test_the_order_of_keys_never_matters(raw: dict[str, Any]):
    assert fingerprint(raw) == fingerprint(reversed_keys(raw))


@given(definitions)
def test_the_layout_never_matters(raw: dict[str, Any]):
    text = json.dumps(raw, indent=3)
    assert fingerprint(json.loads(text)) == fingerprint(json.loads(json.dumps(json.loads(text), ensure_ascii=False)))


@given(values, values)
def test_equal_hashes_mean_equal_values(one: Any, other: Any):
    # `==` of Python takes True for 1, which JSON does not.
    def typed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: typed(element) for key, element in value.items()}
        return [typed(element) for element in value] if isinstance(value, list) else (isinstance(value, bool), value)

    same = fingerprint({"x": one}) == fingerprint({"x": other})
    assert same == (typed(one) == typed(other) or repr(one) == repr(other))


@pytest.mark.parametrize("path", leaves(FULL)[1:], ids=str)
def test_every_field_at_every_depth_counts(path: tuple[Any, ...]):
    assert fingerprint(with_change(FULL, path, "something else")) != fingerprint(FULL)
    assert fingerprint(without(FULL, path)) != fingerprint(FULL)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (0, -0.0),
        (1e2, 100),
        (2**60, float(2**60)),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ],
)
def test_the_same_value_written_otherwise_is_the_same(one: Any, other: Any):
    assert fingerprint({"x": one}) == fingerprint({"x": other})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (0, False),
        (None, "null"),
        (1, "1"),
        (9007199254740993, 9007199254740992),
        (10**30, 10**30 + 1),
        (0.1, 0.1 + 2**-56),
        ("é", "e\u0301"),
        ("a", "\u0430"),
        ("\ud800", "?"),
        ("\ud800", "\udfff"),
        ([1, 2], [2, 1]),
        ([], {}),
        ({"a": None}, {}),
        ([[1], 2], [1, [2]]),
        (["a", "b"], ["a,b"]),
        ('","', ["", ""]),
    ],
)
def test_different_values_are_different(one: Any, other: Any):
    assert fingerprint({"x": one}) != fingerprint({"x": other})


def test_integers_too_long_to_print_differ_as_well():
    assert fingerprint({"x": 10**5000}) != fingerprint({"x": 10**5000 + 1})


def test_a_known_definition_keeps_its_hash_for_ever():
    assert fingerprint({"name": "a", "n": [1.0, 1.5, None, True, "ü\n"]}) == (
        "66bf9ff6fcda468142110eeeabeb7d5f0d6dad303cf7dbc987f78c5e8bed744c"
    )


@given(definitions)
def test_what_json_can_carry_has_no_fault_and_the_rest_has_one(raw: dict[str, Any]):
    try:
        json.dumps(raw, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        assert examine(raw).fault
    else:
        assert examine(raw).fault == ""


def test_a_definition_nested_without_end_is_hashed_and_faulted():
    def nest(levels: int) -> list[Any]:
        value: list[Any] = []
        for _ in range(levels):
            value = [value]
        return value

    deep = nest(100_000)
    assert "deeper" in examine({"x": deep}).fault
    assert examine({"x": nest(MAX_DEPTH - 2)}).fault == ""
    while deep:
        deep = deep.pop()

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolrouter.settings_file import jsonc

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON, st.sampled_from([None, 2, "\t"]))
def test_whatever_is_json_means_the_same_here(value: object, indent: int | str | None) -> None:
    for ascii_only in (True, False):
        text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
        assert jsonc.parse(text).value == value


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with suppress(jsonc.SyntaxFault):
        jsonc.parse(text)


def test_comments_trailing_commas_and_a_byte_order_mark_are_tolerated() -> None:
    text = '\ufeff// top\n{ /* a */ "a": [1, 2,], // b\n "b": {"c": "// no comment",}, }\n// end'
    assert jsonc.parse(text).value == {"a": [1, 2], "b": {"c": "// no comment"}}


def test_every_value_knows_where_it_stands() -> None:
    text = '{\n  "a": {"b": [10, "x"]}\n}'
    node = jsonc.parse(text).at(("a", "b", 1))
    assert node is not None
    assert text[node.start : node.end] == '"x"'


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("", "the file is empty", 1, 1),
        ('{"a": 1', "the file ends before the { of line 1 is closed by }", 1, 8),
        ('{"a": [1\n}', "expected , or ]", 1, 9),
        ('{"a": 1\n "b": 2}', "a comma may be missing", 1, 8),
        ("{'a': 1}", "expected a key in double quotes", 1, 2),
        ("{\"a\": 'x'}", "expected double quotes", 1, 7),
        ('{"a" 1}', 'expected : after "a"', 1, 6),
        ('{"a": NaN}', "found `NaN`", 1, 7),
        ('{"a": 01}', "expected , or }", 1, 8),
        ('{"a": "C:\\Users"}', "a backslash must be doubled", 1, 10),
        ('{"a": "x\n"}', "no closing quote on its line", 1, 7),
        ('{"a": "x', "no closing quote", 1, 7),
        ('{"a": 1} {', "expected the end of the file", 1, 10),
        ("/* {}", "this comment has no end", 1, 1),
        ('{"a": 1,\n "b": 2,\n "a": 3}', '"a" stands twice: in line 1 and again in line 3', 3, 2),
        ("[" * 200, "nested deeper than", 1, 102),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, message: str, line: int, column: int) -> None:
    with pytest.raises(jsonc.SyntaxFault) as caught:
        jsonc.parse(text)
    assert message in str(caught.value)
    assert (caught.value.line, caught.value.column) == (line, column)

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from toolrouter.errors import RpcError
from toolrouter.server.cleaning import MARK, SOURCE, CleanWords, clean_strings, clean_text, cleaned
from toolrouter.types import JsonObject

TAGS = "".join(chr(0xE0000 + ord(letter)) for letter in "obey")


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\x00b\x08c\x7fd\x9be", "abcd"),
        ("safe\u202egnp.exe\u2066x\u2069", "safegnp.exex"),
        (f"hello{TAGS}", "hello"),
        ("a\U000e0101b", "ab"),
        ("\u845b\U000e0100\u57ce \u8fbb\U000e0101", None),
        ("\u845b\U000e0100\U000e0101\U000e0102", "\u845b\U000e0100"),
        ("\U000e0100\u845b", "\u845b"),
        ("line\r\n\tnext", "line\r\n\tnext"),
        ("\u05e9\u200f\u05dc \u0645\u06cc\u200c\u062e \U0001f469\u200d\U0001f4bb \u2764\ufe0f", None),
        ("\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", None),
        ("日本語 résumé ½ ∑ →", None),
    ],
)
def test_only_what_no_reader_sees_is_taken_out(sent: str, shown: str | None) -> None:
    assert clean_text(sent)[0] == (sent if shown is None else shown)


def test_a_cleaned_result_says_so_and_keeps_everything_else() -> None:
    image = {"type": "image", "data": "aGVsbG8=", "mimeType": "image/png"}
    sent = {
        "content": [
            {"type": "text", "text": "a\x1b[0mb", "x": 1},
            image,
            {"type": "resource", "resource": {"text": "\u202ec"}},
        ],
        "structuredContent": {"\u202e": [{"deep": f"in{TAGS}side"}], "n": 1},
        "_meta": {"kept": 1},
    }
    before = deepcopy(sent)
    found = cleaned(sent, "s")
    assert found["content"] == [
        {"type": "text", "text": "ab", "x": 1},
        image,
        {"type": "resource", "resource": {"text": "c"}},
    ]
    assert found["structuredContent"] == {"": [{"deep": "inside"}], "n": 1}
    assert found["_meta"] == {"kept": 1, MARK: 10, SOURCE: "s"}
    assert sent == before


LINK = {"type": "resource_link", "uri": "a:b"}
SAID = {"type": "text"}


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        ({"contents": [{"uri": "a:b", "text": "a\x1b[2Jb"}]}, {"contents": [{"uri": "a:b", "text": "ab"}]}),
        ({"messages": [{"content": {**SAID, "text": "\u202ea"}}]}, {"messages": [{"content": {**SAID, "text": "a"}}]}),
        ({"description": f"a{TAGS}"}, {"description": "a"}),
        ({"completion": {"values": [f"a{TAGS}"]}}, {"completion": {"values": ["a"]}}),
        ({"content": [{**LINK, "title": "\u2066a"}]}, {"content": [{**LINK, "title": "a"}]}),
        ({"somethingNew": f"a{TAGS}"}, {"somethingNew": "a"}),
        ({"structuredContent": {f"a{TAGS}": 1}}, {"structuredContent": {"a": 1}}),
    ],
)
def test_prompts_resources_and_completions_are_cleaned_like_results(result: JsonObject, shown: JsonObject) -> None:
    found = cleaned(result, "s")
    assert {key: value for key, value in found.items() if key != "_meta"} == shown
    assert found["_meta"][SOURCE] == "s"


def test_tokens_of_the_protocol_are_left_alone() -> None:
    sent = {"requestState": "\u202e", "nextCursor": "\x1b[0m", "inputRequests": {"\u202e": {}}, "content": []}
    assert cleaned(sent, "s") is sent
    found = cleaned({**sent, "_meta": {"\u202ea": "\u202e"}}, "s")
    assert found == {**sent, "_meta": {"a": "", MARK: 2, SOURCE: "s"}}


def test_a_cleaned_name_takes_no_other_fields_place() -> None:
    sent = {"a\u202e": 1, "a": 2, "\u202ea": 3, "a_2": 4}
    assert clean_strings(sent) == ({"a_3": 1, "a": 2, "a_4": 3, "a_2": 4}, 2)
    many = {f"a{TAGS}" + "\u202e" * number: number for number in range(3_000)}
    assert len(clean_strings(many)[0]) == 3_000


def test_a_server_cannot_speak_in_our_name() -> None:
    assert cleaned({"content": [], "_meta": {SOURCE: "bank", MARK: 0, "x": 1}}, "s") == {
        "content": [],
        "_meta": {"x": 1},
    }


class Telling:
    async def request(self, alias: str, method: str, params: object, *, on_progress: Any = None, **_: object) -> Any:
        await on_progress({"progress": 1, "message": f"half{TAGS}"})
        raise RpcError(-32000, "no\x1b[31m", {"why": "\u202ebecause"})


@pytest.mark.anyio
async def test_errors_and_progress_are_cleaned_too() -> None:
    told: list[JsonObject] = []

    async def hear(params: JsonObject) -> None:
        told.append(params)

    with pytest.raises(RpcError) as refused:
        await CleanWords(Telling()).request("s", "tools/call", {}, on_progress=hear)
    error = refused.value
    assert (told, error.message, error.data) == ([{"progress": 1, "message": "half"}], "no", {"why": "because"})


@pytest.mark.parametrize(
    "result", [{}, {"content": None}, {"content": [1, {"type": "text"}, {"type": "text", "text": "ü"}]}]
)
def test_a_clean_result_is_passed_on_as_it_is(result: dict[str, object]) -> None:
    assert cleaned(result, "s") is result


def test_cleaning_takes_linear_time() -> None:
    for hostile in ("\x1b]" * 50_000, "\x1b[" * 50_000, "\x1b[0" * 50_000, "\U0001f3f4\U000e0067" * 50_000):
        clean_text(hostile)


def test_a_result_in_which_nothing_hides_is_the_very_same_object() -> None:
    odd = "\t\r\n \ufeff\u00ad\u2028 \u05e9\u200f\u05dc \ud800 \U0001f469\u200d\U0001f4bb\U0001f3f4\U000e0067\U000e007f"
    sent: JsonObject = {
        "content": [{"type": "text", "text": odd}],
        "structuredContent": {odd: [odd, {"x": [odd]}, 1, None]},
    }
    assert cleaned(sent, "s") is sent

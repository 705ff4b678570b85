from __future__ import annotations

import pytest

from toolrouter.server.cleaning import MARK, SOURCE, clean_text, cleaned

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
        ("line\r\n\tnext", "line\r\n\tnext"),
        ("\u05e9\u200f\u05dc \u0645\u06cc\u200c\u062e \U0001f469\u200d\U0001f4bb \u2764\ufe0f", None),
        ("\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", None),
        ("日本語 résumé ½ ∑ →", None),
    ],
)
def test_only_what_no_reader_sees_is_taken_out(sent: str, shown: str | None) -> None:
    assert clean_text(sent)[0] == (sent if shown is None else shown)


def test_a_cleaned_result_says_so_and_keeps_everything_else() -> None:
    image = {"type": "image", "data": "\x1b[0m", "mimeType": "image/png"}
    sent = {
        "content": [
            {"type": "text", "text": "a\x1b[0mb", "x": 1},
            image,
            {"type": "resource", "resource": {"text": "\u202ec"}},
        ],
        "structuredContent": {"\u202e": "\x1b[0m"},
        "_meta": {"kept": 1},
    }
    found = cleaned(sent, "s")
    assert found["content"] == [
        {"type": "text", "text": "ab", "x": 1},
        image,
        {"type": "resource", "resource": {"text": "c"}},
    ]
    assert found["structuredContent"] is sent["structuredContent"]
    assert found["_meta"] == {"kept": 1, MARK: 5, SOURCE: "s"}


@pytest.mark.parametrize(
    "result", [{}, {"content": None}, {"content": [1, {"type": "text"}, {"type": "text", "text": "ü"}]}]
)
def test_a_clean_result_is_passed_on_as_it_is(result: dict[str, object]) -> None:
    assert cleaned(result, "s") is result


def test_cleaning_takes_linear_time() -> None:
    for hostile in ("\x1b]" * 50_000, "\x1b[" * 50_000, "\x1b[0" * 50_000, "\U0001f3f4\U000e0067" * 50_000):
        clean_text(hostile)

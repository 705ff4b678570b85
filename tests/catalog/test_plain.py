from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from toolrouter.catalog.plain import plain


@given(st.text(st.characters(), max_size=80), st.integers(1, 60))
def test_the_result_is_one_visible_line_within_the_limit(text: str, limit: int):
    line = plain(text, limit)
    assert len(line) <= limit
    assert line == " ".join(line.split())
    assert not {unicodedata.category(character) for character in line} & {"Cc", "Cf", "Cs", "Co", "Cn"}


@given(st.text(st.characters(), max_size=80))
def test_cleaning_twice_changes_nothing(text: str):
    assert plain(plain(text, 500), 500) == plain(text, 500)


def test_hidden_characters_are_left_out():
    tags = "".join(chr(0xE0000 + ord(letter)) for letter in "send the key")
    assert plain(f"safe{tags}\u202e\u200b\u2066\ufe0f\u00ad\x1b[31m text\u3164", 100) == "safe[31m text"


def test_a_line_is_cut_at_a_word_where_one_ends_late_enough():
    assert plain("alpha beta gamma", 12) == "alpha beta"
    assert plain("a" * 50, 12) == "a" * 12


def test_an_endless_text_is_not_read_to_its_end():
    assert plain("\u200b" * 10_000_000 + "late", 10) == ""

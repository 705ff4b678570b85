"""Near words."""

import pytest

from toolrouter.index.spelling import Spelling

VOCABULARY = ("message", "merge", "branch", "screenshot", "slack", "customer", "columns", "s3")


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("mesage", "message"),
        ("brnach", "branch"),
        ("screensht", "screenshot"),
        ("slak", "slack"),
        ("custmer", "customer"),
    ],
)
def test_a_slip_finds_the_word(slip: str, meant: str) -> None:
    assert [VOCABULARY[term] for term in Spelling(VOCABULARY).near(slip)] == [meant]


@pytest.mark.parametrize("word", ["", "s4", "cat", "zebra", "pizza", "dentist", "123456", "müsli", "a" * 5000])
def test_a_word_far_from_all_finds_nothing(word: str) -> None:
    assert Spelling(VOCABULARY).near(word) == []


def test_an_abbreviation_without_vowels_is_spelt_out() -> None:
    vocabulary = ("query", "message", "table", "tubul", "ticket")
    assert [vocabulary[term] for term in Spelling(vocabulary).near("msg")] == ["message"]
    assert [vocabulary[term] for term in Spelling(vocabulary).near("qry")] == ["query"]


def test_of_equally_near_words_the_commonest_is_first() -> None:
    vocabulary = ("boat", "boot")
    assert Spelling(vocabulary, [1, 5]).near("boxt") == [1, 0]


def test_letters_are_left_out_rather_than_put_in() -> None:
    vocabulary = ("sla", "slack")
    assert Spelling(vocabulary, [9, 1]).near("slak") == [1]


def test_an_empty_vocabulary_has_no_near_words() -> None:
    assert Spelling(()).near("message") == []


def test_equally_near_words_are_all_found() -> None:
    found = Spelling(("boot", "boat", "book", "zeal")).near("boox")
    assert sorted(found) == [0, 2]

"""What counts as a word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolrouter.index.words import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("create_issue", ["creat", "issu"]),
        ("createIssue", ["creat", "issu"]),
        ("list-HTTPServers", ["list", "http", "server"]),
        ("s3 ec2 k8s", ["s3", "ec2", "k8s"]),
        ("Café MÜNCHEN", ["cafe", "munchen"]),
        ("", []),
        (" \n\t ", []),
        ("!!! ___ ---", []),
    ],
)
def test_text_falls_into_folded_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    "forms",
    [
        ("create", "creates", "created", "creating", "creation"),
        ("delete", "deleted", "deleting", "deletion"),
        ("query", "queries"),
        ("deploy", "deployed", "deployment", "deployments"),
        ("stop", "stopped", "stopping"),
        ("branch", "branches"),
        ("run", "runs"),
    ],
)
def test_forms_of_one_word_meet(forms: tuple[str, ...]) -> None:
    assert len({tuple(words(form)) for form in forms}) == 1


def test_scripts_without_spaces_fall_into_pairs() -> None:
    assert words("搜索文件") == ["搜索", "索文", "文件"]
    assert words("看Oracle表") == ["看", "oracl", "表"]


def test_kana_keep_their_voicing_marks() -> None:
    assert words("が") == ["が"]


@given(st.text(max_size=200))
def test_any_text_has_words(text: str) -> None:
    assert all(word and word == word.casefold() for word in words(text))

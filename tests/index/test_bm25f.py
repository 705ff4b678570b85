"""The lexical index over fields."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolrouter.index.bm25f import FIELDS, Bm25f


def document(name: str, description: str = "", server: str = "", parameters: str = "") -> dict[str, str]:
    return {"name": name, "server": server, "description": description, "parameters": parameters}


@pytest.fixture
def index() -> Bm25f:
    return Bm25f(
        [
            document("create_issue", "Open a new issue in a repository", "github", "owner title labels"),
            document("list_branches", "List the branches of a repository", "github", "owner"),
            document("send_message", "Post a message to a channel", "slack", "channel text"),
            document("search", "Find pages", "notion", "query labels"),
        ]
    )


def rows(found: list[tuple[int, float]]) -> list[int]:
    return [row for row, _ in found]


def test_the_row_with_the_words_comes_first(index: Bm25f) -> None:
    assert rows(index.search("post something to a slack channel", 4))[0] == 2


def test_rows_without_a_common_word_are_absent(index: Bm25f) -> None:
    assert rows(index.search("branches", 4)) == [1]
    assert index.search("zebra", 4) == []


def test_a_word_in_the_name_outweighs_one_in_a_parameter() -> None:
    index = Bm25f([document("a", parameters="labels"), document("labels"), document("b")])
    assert rows(index.search("labels", 3)) == [1, 0]


def test_scores_fall_and_ties_are_ordered_by_row() -> None:
    index = Bm25f([document("x"), document("same"), document("same"), document("same")])
    found = index.search("same", 9)
    assert rows(found) == [1, 2, 3]
    assert len({score for _, score in found}) == 1


@pytest.mark.parametrize("query", ["", "   ", "\x00\x07", "🙂", "%_'\"*(", "the of a"])
def test_any_text_is_a_query(index: Bm25f, query: str) -> None:
    assert isinstance(index.search(query, 3), list)


def test_a_misspelt_word_finds_what_was_meant(index: Bm25f) -> None:
    assert rows(index.search("list branchs", 4))[0] == 1
    assert rows(index.search("mesage", 4)) == [2]


def test_respelling_gives_the_words_as_tools_write_them(index: Bm25f) -> None:
    assert index.respell("list brnches of the repostory") == "branches repository"
    assert index.respell("list branches") == ""


def test_compounds_are_found_however_they_are_written() -> None:
    index = Bm25f([{"name": "list_todos"}, {"name": "create_merge_request"}, {"name": "dos_prompt"}])
    assert index.search("my to-dos", 3)[0][0] == 0
    assert index.search("open mergerequests", 3)[0][0] == 1


def test_a_compound_counts_as_one_word_of_a_query_however_it_is_written() -> None:
    index = Bm25f([{"name": "list_todos", "server": "GitLab"}, {"name": "to dos", "server": "gitlab"}])
    weight = {term.word: term.weight for term in index.terms("GitLab pages")}
    assert weight == {"git": 0.25, "lab": 0.25, "gitlab": 0.5, "page": 1.0}


def test_an_empty_index_answers_nothing() -> None:
    index = Bm25f([])
    assert index.search("anything", 5) == []
    assert index.scores(index.terms("anything")).shape == (0,)


def test_documents_without_words_answer_nothing() -> None:
    assert Bm25f([document(""), {}]).search("anything", 5) == []


def test_chinese_is_found_by_part_of_a_sentence() -> None:
    index = Bm25f([document("a", "搜索文件内容"), document("b", "发送消息")])
    assert rows(index.search("请搜索文件", 2)) == [0]


def test_coverage_says_in_which_field_a_word_is(index: Bm25f) -> None:
    terms = index.terms("labels")
    found = index.coverage(terms, np.array([0, 1, 3])) / index.attainable(terms)
    in_parameters = FIELDS.index("parameters")
    assert found[in_parameters].tolist() == [1, 0, 1]
    assert found[:in_parameters].sum() == 0
    assert found[-1].tolist() == [1, 0, 1]


def test_a_tool_never_scores_more_than_is_attainable(index: Bm25f) -> None:
    terms = index.terms("open create issue github owner title labels repository zebra")
    assert 0 < index.scores(terms).max() < index.attainable(terms)


WORDS = st.lists(st.sampled_from(["alpha", "beta", "gamma", "delta", "omega"]), max_size=6).map(" ".join)


@settings(max_examples=50)
@given(st.lists(st.tuples(WORDS, WORDS), max_size=8), WORDS, st.integers(0, 10))
def test_search_agrees_with_scoring_every_row(texts: list[tuple[str, str]], query: str, k: int) -> None:
    index = Bm25f([document(name, description) for name, description in texts])
    scores = index.scores(index.terms(query)).tolist()
    expected = sorted((row for row, score in enumerate(scores) if score > 0), key=lambda row: (-scores[row], row))
    assert rows(index.search(query, k)) == expected[:k]

import re
from collections.abc import Mapping
from importlib.resources import files

from toolrouter.index.bm25f import Bm25f
from toolrouter.index.thesaurus import MOST_STEMS, MOST_WORDS, lines_about, parse_thesaurus, related_words
from toolrouter.index.words import words

LINES = (files("toolrouter") / "data" / "thesaurus.txt").read_text(encoding="utf-8").splitlines()


def words_about(fields: Mapping[str, str]) -> str:
    return related_words(lines_about(fields))


def test_a_tool_is_related_to_what_people_call_its_things() -> None:
    found = words_about({"name": "create_merge_request", "server": "gitlab", "description": ""}).split()
    assert {"pr", "review"} <= set(found)


def test_inflected_and_joined_terms_are_found() -> None:
    assert words_about({"name": "listMergeRequests"}) != ""
    assert set(words_about({"name": "merge_requests"}).split()) <= set(
        words_about({"name": "listMergeRequests"}).split()
    )


def test_only_the_first_sentence_of_a_description_counts() -> None:
    told = {"name": "x", "description": "Does one thing. It has nothing to do with a merge request."}
    assert "review" not in words_about(told).split()


def test_a_label_before_the_first_sentence_does_not_count_as_one() -> None:
    plain = words_about({"description": "Lists the pull requests. More."})
    assert plain
    assert words_about({"description": "Read-only. Lists the pull requests. More."}) == plain


def test_the_words_of_a_tool_are_bounded() -> None:
    everything = " ".join(line.partition(" = ")[0] for line in LINES)
    assert len(words_about({"name": everything}).split()) == MOST_WORDS


def test_a_term_on_two_lines_has_both() -> None:
    found = parse_thesaurus("# why\nmerge request; pull request = pr, code change\nmerge request = review\nno entry")
    assert found.lines == ("pr, code change", "review")
    assert found.terms_of == ("merge request; pull request", "merge request")
    assert found.terms == {("merg", "request"): [0, 1], ("pull", "request"): [0]}


def test_longer_terms_come_before_the_words_they_are_made_of() -> None:
    about = lines_about({"name": "merge_request"})
    assert about[: len(lines_about({"name": "merge"}))] != lines_about({"name": "merge"})
    assert set(lines_about({"name": "merge"})) <= set(about)


def test_related_words_find_a_tool_and_its_own_words_find_it_first() -> None:
    documents = [
        {"name": "merge_request", "server": "a", "description": "", "related": "code change review"},
        {"name": "review", "server": "b", "description": "", "related": ""},
        {"name": "weather", "server": "c", "description": "", "related": ""},
    ]
    index = Bm25f(documents)
    assert [row for row, _ in index.search("review", 3)] == [1, 0]


def test_every_line_of_the_thesaurus_can_be_read() -> None:
    entries = [line for line in LINES if not line.startswith("#")]
    assert all(re.fullmatch(r"[^=]+ = [^=]+", line) for line in entries)
    terms = [term for line in entries for term in line.partition(" = ")[0].split(";")]
    assert all(1 <= len(words(term)) <= MOST_STEMS for term in terms)

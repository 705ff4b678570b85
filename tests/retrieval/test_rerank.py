"""The optional second stage."""

from collections.abc import Sequence

from tests.retrieval.making import make_index
from toolrouter.errors import ModelError
from toolrouter.retrieval.rerank import rerank
from toolrouter.retrieval.search import SearchOptions, search
from toolrouter.types import Hit, ToolId

ALL = SearchOptions(k=50, min_score=0, token_budget=100_000)


class LongestFirst:
    """Likes long texts; fails when told to."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.read: list[str] = []

    def scores(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        if self.fails:
            raise ModelError("out of memory")
        self.read.extend(texts)
        return [float(len(text)) for text in texts]


HITS = [Hit(ToolId(name), score) for name, score in (("a", 0.9), ("bbb", 0.5), ("cc", 0.2), ("dddd", 0.1))]


def test_the_leading_hits_are_put_in_the_rerankers_order() -> None:
    found = rerank("q", HITS, LongestFirst(), str, depth=3)
    assert [hit.id for hit in found] == ["bbb", "cc", "a", "dddd"]


def test_probabilities_stay_at_their_ranks_and_parts_say_what_was_thought() -> None:
    found = rerank("q", HITS, LongestFirst(), str)
    assert [hit.score for hit in found] == [hit.score for hit in HITS]
    assert found[0].parts["reranker"] == 4


def test_a_search_takes_a_reranker() -> None:
    index, reranker = make_index(), LongestFirst()
    hits = search(index, ["list the branches"], ALL, reranker=reranker).hits
    assert reranker.read
    lengths = [hit.parts["reranker"] for hit in hits]
    assert lengths == sorted(lengths, reverse=True)


def test_a_tool_called_by_name_stays_in_front() -> None:
    answer = search(make_index(), ["slack__post_message"], ALL, reranker=LongestFirst())
    assert answer.hits[0].id == "slack__post_message"


def test_a_failing_reranker_costs_a_warning_alone() -> None:
    index = make_index()
    plain = search(index, ["list the branches"], ALL)
    answer = search(index, ["list the branches"], ALL, reranker=LongestFirst(fails=True))
    assert answer.hits == plain.hits
    assert "out of memory" in answer.warning

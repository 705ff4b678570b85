"""Several rankings into one."""

from hypothesis import given
from hypothesis import strategies as st

from toolrouter.retrieval.merge import merge
from toolrouter.types import Hit, ToolId


def ranking(**scores: float) -> list[Hit]:
    return [Hit(ToolId(name), score) for name, score in scores.items()]


def ids(hits: list[Hit]) -> list[str]:
    return [hit.id for hit in hits]


def test_each_query_has_its_best_first() -> None:
    merged = merge([ranking(a=0.9, b=0.8, c=0.7), ranking(x=0.3, y=0.2)])
    assert ids(merged) == ["a", "x", "b", "y", "c"]


def test_within_a_round_the_more_probable_comes_first() -> None:
    assert ids(merge([ranking(a=0.2), ranking(x=0.6)])) == ["x", "a"]


def test_equally_probable_hits_are_ordered_by_id() -> None:
    assert ids(merge([ranking(b=0.5), ranking(a=0.5)])) == ["a", "b"]


def test_a_tool_of_two_queries_is_there_once_with_its_best_score() -> None:
    merged = merge([ranking(a=0.4, b=0.1), ranking(a=0.9, c=0.2)])
    assert ids(merged) == ["a", "c", "b"]
    assert merged[0].score == 0.9


def test_nothing_merges_to_nothing() -> None:
    assert merge([]) == merge([[], []]) == []


RANKINGS = st.lists(
    st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 1), max_size=6).map(
        lambda scores: ranking(**dict(sorted(scores.items(), key=lambda item: -item[1])))
    ),
    max_size=5,
)


@given(RANKINGS)
def test_every_tool_is_there_exactly_once(rankings: list[list[Hit]]) -> None:
    merged = ids(merge(rankings))
    assert sorted(merged) == sorted({hit.id for one in rankings for hit in one})


@given(RANKINGS)
def test_the_order_of_the_queries_does_not_matter(rankings: list[list[Hit]]) -> None:
    if len({hit.id for one in rankings for hit in one}) == sum(map(len, rankings)):
        assert ids(merge(rankings)) == ids(merge(rankings[::-1]))


@given(RANKINGS)
def test_each_query_has_a_hit_among_as_many_as_there_are_queries(rankings: list[list[Hit]]) -> None:
    asked = [one for one in rankings if one]
    leading = set(ids(merge(asked))[: len(asked)])
    assert all(leading & set(ids(one)) for one in asked)


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 1), max_size=8))
def test_a_single_ranking_stays_as_it_is(scores: dict[str, float]) -> None:
    one = ranking(**scores)
    assert ids(merge([one])) == ids(one)

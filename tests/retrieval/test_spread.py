"""Diversity over servers."""

from hypothesis import given
from hypothesis import strategies as st

from toolrouter.retrieval.spread import TIE, spread
from toolrouter.types import Hit, ToolId


def hits(*entries: tuple[str, float]) -> list[Hit]:
    return [Hit(ToolId(name), score) for name, score in entries]


def server_of(tool: ToolId) -> str:
    return tool[0]


def ids(found: list[Hit]) -> list[str]:
    return [hit.id for hit in found]


def test_equally_good_hits_come_from_one_server_after_another() -> None:
    ranking = hits(("a1", 0.50), ("a2", 0.50), ("a3", 0.50), ("b1", 0.49), ("c1", 0.49))
    assert ids(spread(ranking, server_of)) == ["a1", "b1", "c1", "a2", "a3"]


def test_a_clearly_better_hit_stays_ahead() -> None:
    ranking = hits(("a1", 0.9), ("a2", 0.8), ("b1", 0.5))
    assert ids(spread(ranking, server_of)) == ["a1", "a2", "b1"]


RANKINGS = st.lists(st.floats(0, 1), max_size=40).map(
    lambda scores: hits(*((f"{'abc'[at % 3]}{at}", score) for at, score in enumerate(sorted(scores, reverse=True))))
)


@given(RANKINGS)
def test_nothing_is_lost_and_nothing_passes_what_is_clearly_better(ranking: list[Hit]) -> None:
    found, before = ids(spread(ranking, server_of)), {hit.id: hit.score for hit in ranking}
    assert sorted(found) == sorted(before)
    for at, tool in enumerate(found):
        assert all(before[tool] >= before[later] * (1 - TIE) - 1e-12 for later in found[at:])


@given(RANKINGS)
def test_scores_stay_at_their_ranks(ranking: list[Hit]) -> None:
    assert [hit.score for hit in spread(ranking, server_of)] == [hit.score for hit in ranking]

"""Rankings of tasks of several steps."""

from hypothesis import given
from hypothesis import strategies as st

from toolrouter.retrieval.cut import cut
from toolrouter.retrieval.tasks import OF_EACH, OF_THE_WHOLE, with_steps
from toolrouter.types import Hit, ToolId


def ranking(names: str, *, fit: float = 0.9) -> list[Hit]:
    return [Hit(ToolId(name), 1 / (2 + at), {"fit": fit}) for at, name in enumerate(names)]


def names(hits: list[Hit]) -> str:
    return "".join(hit.id for hit in hits)


def test_the_best_of_each_step_follow_those_of_the_whole_task() -> None:
    assert names(with_steps(ranking("abcdefghij"), [ranking("jic"), ranking("hab")])) == "abcdejhifg"


def test_a_step_that_nothing_fits_brings_nothing() -> None:
    assert names(with_steps(ranking("abcdefgh"), [ranking("hg", fit=0.1), []])) == "abcdefgh"


def test_what_a_step_asks_for_is_shown_however_little_it_serves_the_whole() -> None:
    whole = [Hit(ToolId(name), 0.9 if name == "a" else 0.0, {"fit": 0.9}) for name in "abcdefgh"]
    found = with_steps(whole, [ranking("ab"), ranking("gh")])
    assert names(cut(found, k=8, min_score=0.05, token_budget=1000, cost=lambda _: 10)) == "abgh"
    assert names(cut(found, k=8, min_score=0.05, token_budget=25, cost=lambda _: 10)) == "ab"
    assert names(cut(found, k=2, min_score=0.05, token_budget=1000, cost=lambda _: 10)) == "ab"


@given(st.permutations("abcdefghij"), st.lists(st.permutations("abcdefghij"), max_size=4))
def test_no_tool_is_lost_and_scores_never_rise(whole: list[str], steps: list[list[str]]) -> None:
    found = with_steps(ranking("".join(whole)), [ranking("".join(step)) for step in steps])
    assert sorted(names(found)) == sorted(whole)
    assert names(found)[:OF_THE_WHOLE] == "".join(whole[:OF_THE_WHOLE])
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
    assert {name for step in steps for name in step[:OF_EACH]} <= {hit.id for hit in found if "step" in hit.parts}

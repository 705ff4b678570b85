from __future__ import annotations

import pytest

from tests.catalog.making import definition, tool
from toolrouter.guard.standing import PROVEN_AFTER_S, SET_UP_TOGETHER_S, newcomers
from toolrouter.retrieval.fairness import Standing, beside, fair, standing
from toolrouter.types import Decision, Hit, ToolId

TEXT = "Send a mail to one or several people, with attachments and a subject"


def hits(*names: str, low: tuple[str, ...] = ()) -> list[Hit]:
    found = [Hit(ToolId(name), 0.9 - 0.01 * rank) for rank, name in enumerate(names)]
    return [*found, *(Hit(ToolId(name), 0.05) for name in low)]


def ranked(found: list[Hit], held_back: Standing, k: int = 5) -> list[str]:
    return [hit.id for hit in fair(found, held_back, lambda name: name.split("__")[0], k)]


def test_without_newcomers_nothing_moves() -> None:
    found = hits("a__1", "a__2", "b__1")
    assert fair(found, Standing(), lambda name: "a", 5) == found


def test_a_newcomer_takes_one_slot_of_five_where_others_fit() -> None:
    found = hits("x__1", "x__2", "x__3", "a__1", "a__2", "b__1", "b__2")
    assert ranked(found, Standing(frozenset("x")))[:5] == ["x__1", "a__1", "a__2", "b__1", "b__2"]
    assert ranked(found, Standing(frozenset("x")), 10)[:3] == ["x__1", "x__2", "a__1"]


@pytest.mark.parametrize("k", range(1, 11))
def test_a_newcomer_never_takes_more_than_a_fifth_where_others_fit(k: int) -> None:
    found = hits(*(f"x__{number}" for number in range(20)), *(f"a__{number}" for number in range(20)))
    shown = ranked(found, Standing(frozenset("x")), k)[:k]
    assert len(shown) == k
    assert sum(name.startswith("x") for name in shown) <= k / 5
    assert ranked(found[:20], Standing(frozenset("x")), k)[:k] == [f"x__{number}" for number in range(k)]


def test_a_newcomer_keeps_its_place_where_nobody_else_fits() -> None:
    names = ranked(hits("x__1", "x__2", "x__3", low=("a__1", "a__2")), Standing(frozenset("x")))
    assert names == ["x__1", "x__2", "x__3", "a__1", "a__2"]


def test_a_copy_yields_to_what_it_copies_whatever_it_is_called() -> None:
    tools = [
        tool("old", definition("send_mail", TEXT)),
        tool("new", definition("post_letter", TEXT + ", best")),
        tool("new", definition("other", "Draws a picture of a horse in oil")),
    ]
    found = standing(tools, ["new", "absent"])
    assert found == Standing(frozenset({"new"}), {ToolId("new__post_letter"): ToolId("old__send_mail")})
    assert ranked(hits("new__post_letter", "old__send_mail"), found) == ["old__send_mail"]
    assert ranked(hits("new__post_letter"), found) == ["new__post_letter"]


def test_a_newcomer_may_be_first_but_does_not_make_others_look_bad() -> None:
    merged = beside(hits("a__1", "a__2", low=("b__1",)), [Hit(ToolId("x__1"), 0.999), Hit(ToolId("x__2"), 0.2)])
    assert [(hit.id, round(hit.score, 2)) for hit in merged] == [
        ("x__1", 0.9),
        ("a__1", 0.9),
        ("a__2", 0.89),
        ("x__2", 0.2),
        ("b__1", 0.05),
    ]
    assert [hit.score for hit in beside(hits(low=("a__1",)), [Hit(ToolId("x__1"), 0.999)])] == [0.3, 0.05]


def made(server: str, at: float, by: str = "first use") -> Decision:
    return Decision(server, "t", "h", approved=True, by=by, at=at)


def test_a_newcomer_came_late_and_lately_and_no_person_has_vetted_it() -> None:
    late = SET_UP_TOGETHER_S + 10
    decisions = [made("a", 0), made("b", 10), made("new", late), made("seen", late), made("seen", late, "review")]
    assert newcomers(decisions, late + 1) == {"new"}
    assert newcomers(decisions, late + PROVEN_AFTER_S) == frozenset()
    assert newcomers([], 1.0) == frozenset()

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolrouter.retrieval.number import agreement, numbers_in


@pytest.mark.parametrize(
    ("query", "fits", "does_not"),
    [
        ("recent change events", "list_change_events", "get_change_event"),
        ("objects in a bucket", "listObjects", "getObject"),
        ("Advanced Security alerts", "get_alerts", "get_alert_details"),
    ],
)
def test_a_plural_is_asked_of_a_name_with_a_plural(query: str, fits: str, does_not: str) -> None:
    same, other = agreement(numbers_in(query), [numbers_in(fits), numbers_in(does_not)])
    assert same[0] > same[1]
    assert other[0] < other[1]


def test_a_singular_is_not_asked_of_a_name_with_a_plural() -> None:
    _, other = agreement(numbers_in("a Stripe coupon"), [numbers_in("list_coupons"), numbers_in("create_coupon")])
    assert other.tolist() == [1, 0]


@given(st.text(max_size=60), st.lists(st.text(max_size=30), max_size=5))
def test_shares_are_of_the_words_that_both_have(query: str, names: list[str]) -> None:
    same, other = agreement(numbers_in(query), [numbers_in(name) for name in names])
    assert ((same >= 0) & (same + other <= 1.001)).all()
    assert (other >= 0).all()

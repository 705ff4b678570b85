"""Products that a query names."""

import pytest

from tests.retrieval.making import make_index
from toolrouter.retrieval.products import products, products_in


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("Mark Shopify order 1043 as shipped with DHL", ["Shopify", "DHL"]),
        ("cancel my netflix plan", ["Netflix"]),
        ("zoom in on the map", []),
        ("mute everybody in the Zoom call", ["Zoom"]),
        ("Zoom in on the map", []),
        ("post homework in Google Classroom", ["Google Classroom"]),
        ("I did my push-ups", []),
        ("", []),
    ],
)
def test_products_are_found_by_name_and_everyday_words_by_their_capital(query: str, named: list[str]) -> None:
    assert products_in(query) == named


def test_every_name_in_the_file_is_found_in_a_sentence() -> None:
    for name, _ in products().values():
        assert products_in(f"open it in {name} for me") == [name]


def test_a_catalog_knows_a_product_in_either_spelling() -> None:
    index = make_index()
    assert index.knows("GitHub")
    assert index.knows("github")
    assert not index.knows("Netflix")

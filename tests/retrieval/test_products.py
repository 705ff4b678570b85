"""Products that a query names."""

import pytest

from tests.fakes_embedding import EmbeddingStore
from tests.retrieval.making import make_index, make_tool
from toolrouter.index.onnx_embedder import OnnxEmbedder
from toolrouter.retrieval.candidates import gather
from toolrouter.retrieval.features import FEATURES
from toolrouter.retrieval.products import products, products_in
from toolrouter.retrieval.search import make_requests
from toolrouter.retrieval.search_index import build_search_index
from toolrouter.types import Tool


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


def test_a_product_that_no_tool_has_counts_as_far_as_nothing_is_said_of_such_things() -> None:
    embedder, store = OnnxEmbedder(), EmbeddingStore()
    git = make_tool("git", "git_commit", "Records changes to the repository")
    shop = make_tool("shop", "create_refund", "Give money back to a customer")
    asked = "refund my last Stripe payment"

    def strange(tools: list[Tool], query: str) -> tuple[float, float]:
        index = build_search_index(tools, {}, embedder=embedder, store=store)  # type: ignore[arg-type]
        (request,), _ = make_requests(index, [query], "hybrid")
        line = gather(index, request).table[0]
        return float(line[FEATURES.index("lines_elsewhere")]), float(line[FEATURES.index("product_elsewhere")])

    nothing_said, product = strange([git], asked)
    assert nothing_said == product > 0.5
    assert strange([git], "refund my last payment")[1] == 0
    assert strange([git, shop], asked)[1] < product
    assert strange([git, make_tool("stripe", "list_customers", "List customers")], asked)[1] == 0

"""Linear maps of queries and tools; needs the model workshop."""

import pytest

pytest.importorskip("torch")

import torch

from indexes.corpus import Example, make_tool
from indexes.fit_maps import Recipe, fit, look_alikes, split

pytestmark = pytest.mark.model


def test_maps_bring_queries_to_the_tools_that_serve_them() -> None:
    torch.manual_seed(1)
    texts = torch.nn.functional.normalize(torch.randn(40, 16), dim=1)
    turn = torch.linalg.qr(torch.randn(16, 16))[0]
    queries, gold = texts @ turn, torch.arange(40)
    none = torch.zeros(40, 40, dtype=torch.bool)
    query_map, text_map = fit(queries, gold, texts, none, Recipe(passes=200, learning_rate=1e-2, weight_decay=0))
    before = (queries @ texts.T).argmax(1) == gold
    after = ((queries + queries @ query_map) @ (texts + texts @ text_map).T).argmax(1) == gold
    assert after.float().mean() > before.float().mean() + 0.4


def test_near_tools_of_other_servers_count_neither_way_but_siblings_do() -> None:
    texts = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    assert look_alikes(texts, ["a", "a", "b"], 0.6).tolist() == [
        [False, False, True],
        [False, False, True],
        [True, True, False],
    ]


def test_what_is_held_out_is_not_fitted() -> None:
    tools = [make_tool({"id": f"s{n}/run", "server": f"s{n}", "name": "run"}) for n in range(60)]
    asked = [Example(f"run {tool.server}", (tool.id,), "task") for tool in tools]
    kept, held_out = split([], asked, tools)
    assert held_out
    assert sorted(example.query for example in [*kept, *held_out]) == sorted(example.query for example in asked)

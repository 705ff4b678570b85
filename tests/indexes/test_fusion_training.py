"""Fitting the fusion, on examples whose answer is plain."""

import json
from collections.abc import Sequence

import numpy as np
import pytest

from indexes.fusion_examples import Example, RememberingEmbedder, sampled_examples, set_examples
from indexes.fusion_training import Recipe, as_data, calibrate, pack, train
from tests.fakes_embedding import HashEmbedder
from toolrouter.retrieval.features import FEATURES
from toolrouter.retrieval.fusion import parse_fusion

RECIPE = Recipe(hidden=((), (4,)), epochs=30, batch=32)
COSINE, WORDS = FEATURES.index("cosine"), FEATURES.index("words")


def make_example(rng: np.random.Generator, *, answerable: bool) -> Example:
    """One of eight candidates is as near as gold tools are; without gold none is."""
    table = np.zeros((8, len(FEATURES)), np.float32)
    table[:, COSINE] = rng.uniform(0.0, 0.4, 8)
    gold = np.zeros(8, bool)
    if answerable:
        gold[rng.integers(8)] = True
        table[gold, COSINE] = rng.uniform(0.5, 0.9)
    names = tuple(f"t{at}" for at in range(8))
    return Example("q", "in" if answerable else "far", table, gold, names, ())


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    rng = np.random.default_rng(0)
    return [make_example(rng, answerable=number % 3 > 0) for number in range(240)]


def best(scores: Sequence[float]) -> int:
    return int(np.argmax(scores))


def test_a_trained_fusion_ranks_and_tells_what_nothing_serves(examples: list[Example]) -> None:
    groups = [(examples, 1.0)]
    fusion = calibrate(train(pack(groups), RECIPE), groups)
    found = [(example, fusion.scores(example.table)) for example in examples]
    answerable = [(example, scores) for example, scores in found if example.gold.any()]
    assert all(example.gold[best(scores)] for example, scores in answerable)
    tops = {True: [], False: []}  # type: dict[bool, list[float]]
    for example, scores in found:
        tops[bool(example.gold.any())].append(float(fusion.probabilities(scores, example.table).max()))
    assert min(tops[True]) > max(tops[False])


def test_equal_seeds_give_equal_weights(examples: list[Example]) -> None:
    batch = pack([(examples[:60], 1.0)])
    short = Recipe(hidden=((3,),), epochs=2)
    assert as_data(train(batch, short)) == as_data(train(batch, short))


def test_a_feature_left_out_changes_nothing(examples: list[Example]) -> None:
    fusion = train(pack([(examples, 1.0)]), RECIPE, without=["cosine"])
    table = examples[0].table.copy()
    before = fusion.scores(table)
    table[:, COSINE] += 1
    assert np.array_equal(fusion.scores(table), before)


def test_weights_survive_the_file(examples: list[Example]) -> None:
    groups = [(examples[:90], 1.0)]
    fusion = calibrate(train(pack(groups), Recipe(hidden=((), (3,)), epochs=3)), groups)
    read = parse_fusion(json.loads(json.dumps(as_data(fusion))))
    table = examples[0].table
    assert np.allclose(read.scores(table), fusion.scores(table), atol=1e-3)
    assert np.allclose(
        read.probabilities(read.scores(table), table), fusion.probabilities(fusion.scores(table), table), atol=1e-3
    )


TOOLS = [
    {
        "id": f"s{server}/{verb}_{noun}",
        "server": f"s{server}",
        "name": f"{verb}_{noun}",
        "description": f"{verb} {noun}",
    }
    for server, noun in enumerate(("file", "table", "branch", "invoice", "flight", "photo", "ticket", "door"))
    for verb in ("open", "delete", "list", "rename")
]
QUERIES = [
    {"id": tool["id"], "query": tool["name"].replace("_", " a "), "relevant": [tool["id"]], "kind": "task"}
    for tool in TOOLS
]


def test_a_set_gives_an_example_per_query() -> None:
    found = set_examples(TOOLS, QUERIES, HashEmbedder())
    assert [example.id for example in found] == [query["id"] for query in QUERIES]
    assert all(example.gold.sum() == 1 for example in found)


def test_sampled_catalogs_hold_all_three_kinds_and_gold_where_it_is_said() -> None:
    found = sampled_examples(TOOLS, QUERIES, HashEmbedder(dimensions=256), catalogs=40, seed=1)
    kinds = {example.kind.split(":")[0] for example in found}
    assert kinds == {"in", "near", "far"}
    assert all(example.gold.any() == example.kind.startswith("in") for example in found)


def test_vectors_are_kept_between_runs(tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "vectors.npz"
    first = RememberingEmbedder(HashEmbedder(), path, model="m")
    wanted = first.embed_queries(["a", "b"])
    first.save()
    inner = HashEmbedder()
    again = RememberingEmbedder(inner, path, model="m")
    assert np.allclose(again.embed_queries(["b", "a"])[::-1], wanted, atol=1e-3)
    assert inner.embedded == []

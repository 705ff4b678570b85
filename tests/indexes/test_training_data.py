"""What training sees: twins, misspellings, other languages, batches."""

import random

import numpy as np

from indexes.batches import MASK, NEGATIVE, POSITIVE, Batch, Mix, Neighbours, epoch
from indexes.corpus import CodeSwitch, Corpus, Example, Tool, are_twins, make_tool, misspell, self_supervised


def tool(tool_id: str, description: str = "") -> Tool:
    server, name = tool_id.split("/")
    return make_tool({"id": tool_id, "server": server, "name": name, "description": description})


def corpus_of(tools: list[Tool]) -> Corpus:
    corpus = Corpus()
    corpus.add(tools, [Example(f"please {t.name}", (t.id,), "task") for t in tools])
    return corpus


def test_the_same_tool_of_two_servers_is_a_twin() -> None:
    assert are_twins(tool("ddg/web_search", "Search the web."), tool("bing/web_search", "Search the web now."))


def test_siblings_with_similar_descriptions_are_no_twins() -> None:
    assert not are_twins(tool("git/create_tag", "Create a tag."), tool("git/delete_tag", "Delete a tag."))


def test_a_twin_is_neither_positive_nor_negative() -> None:
    one, twin, other = tool("a/web_search", "Search the web."), tool("b/web_search", "Search the web."), tool("a/ping")
    batch = Batch([Example("find pages", (one.id,), "para")], [[one]], [one, twin, other])
    assert batch.labels(batch.tools).tolist() == [[POSITIVE, MASK, NEGATIVE]]


def test_a_query_that_nothing_serves_has_only_negatives() -> None:
    batch = Batch([Example("order a pizza", (), "none")], [[]], [tool("a/ping")])
    assert batch.labels(batch.tools).tolist() == [[NEGATIVE]]


def test_an_epoch_brings_every_tool_up_once() -> None:
    tools = [tool(f"s{i % 3}/t{i}", f"Does thing number {i}.") for i in range(30)]
    vectors = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    mix = Mix(batch_tools=8, typo=0, other_language=0, self_supervised=0)
    batches = list(epoch(corpus_of(tools), Neighbours(tools, vectors), mix, random.Random(1)))
    assert sorted(t.id for batch in batches for t in batch.tools) == sorted(t.id for t in tools)


def test_siblings_come_up_in_one_batch() -> None:
    tools = [tool(f"s{i // 4}/t{i}") for i in range(40)]
    vectors = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    first = next(epoch(corpus_of(tools), Neighbours(tools, vectors), Mix(batch_tools=4), random.Random(1)))
    servers = [t.server for t in first.tools]
    assert max(servers.count(server) for server in servers) == 4


def test_misspelling_is_reproducible_and_keeps_short_words() -> None:
    misspelt = misspell("create the jira ticket", random.Random(3), rate=1)
    assert misspelt == misspell("create the jira ticket", random.Random(3), rate=1)
    assert misspelt.split()[1] == "the"
    assert misspelt != "create the jira ticket"


def test_a_query_is_put_into_another_language_word_by_word() -> None:
    switch = CodeSwitch([("de", "Rechnung", "invoice"), ("de", "löschen", "delete")])
    switched = {switch("delete two invoices", random.Random(seed)) for seed in range(20)}
    assert "löschen two Rechnung" in switched


def test_self_supervision_asks_for_the_tool_it_comes_from() -> None:
    example = self_supervised(
        tool("disk/delete_file", "Delete one file for good. It cannot be undone."), random.Random(0)
    )
    assert example.relevant == ("disk/delete_file",)
    assert example.query

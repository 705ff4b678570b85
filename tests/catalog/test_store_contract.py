"""What every store does, run on each of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.catalog.making import definition, tool
from toolrouter.catalog.memory_store import MemoryStore
from toolrouter.catalog.store import SqliteStore, open_store
from toolrouter.types import Decision, Server, Status, Tool


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MemoryStore | SqliteStore]:
    made = MemoryStore() if request.param == "memory" else open_store(tmp_path)
    yield made
    made.close()


Store = MemoryStore | SqliteStore
SERVER = Server("s", "Title", "1.0", "Do ünï", "2025-11-25", {"tools": {}}, {"name": "n"}, "h", 12.5, 60.0, "broken")


def decision(name: str, *, by: str = "first use", server: str = "s", approved: bool = True) -> Decision:
    return Decision(server, name, tool(server, name).hash, approved, by, 3.0)


def test_a_new_store_is_empty(store: Store):
    assert (store.servers(), list(store.tools()), list(store.decisions()), list(store.uses(5))) == ({}, [], [], [])
    assert store.approved_hashes("s") == store.rejected_hashes("s") == {}
    assert not store.approvals_lost()


def test_a_listing_comes_back_as_it_was_saved_ordered_by_id(store: Store):
    raw = {"name": "b", "zeta": [1, 1.0, None, True], "description": "ünï \U0001f600\u2028", "alpha": 2**70}
    tools = [tool("s", raw), tool("s", "a", Status.WITHDRAWN, "changed")]
    store.save_listing(SERVER, tools)
    assert store.servers() == {"s": SERVER}
    assert store.tools() == [tools[1], tools[0]]
    assert store.tools()[1].raw == raw
    assert list(store.tools()[1].raw) == list(raw)


def test_a_listing_replaces_that_servers_tools_alone(store: Store):
    store.save_listing(Server("s"), [tool("s", "a"), tool("s", "b")])
    store.save_listing(Server("t"), [tool("t", "a")])
    changed = tool("s", definition("b", "Changed"))
    store.save_listing(Server("s", version="2"), [changed, tool("s", "c")])
    assert store.tools() == [changed, tool("s", "c"), tool("t", "a")]
    assert store.servers() == {"s": Server("s", version="2"), "t": Server("t")}


def test_a_server_can_be_saved_without_its_tools(store: Store):
    store.save_listing(Server("s"), [tool("s", "a")])
    store.save_server(Server("s", error="gone"))
    assert store.servers()["s"].error == "gone"
    assert len(store.tools()) == 1


def test_forgetting_a_server_keeps_what_was_decided_on_it(store: Store):
    store.save_listing(Server("s"), [tool("s", "a")], [decision("a")])
    store.save_listing(Server("t"), [tool("t", "a")])
    store.forget(["s", "unknown"])
    assert set(store.servers()) == {"t"}
    assert [tool.server for tool in store.tools()] == ["t"]
    assert store.approved_hashes("s") == {"a": {tool("s", "a").hash}}


def test_every_change_of_the_catalog_raises_the_version_and_nothing_else_does(store: Store):
    versions = [store.version()]
    for change in (
        lambda: store.save_listing(Server("s"), [tool("s", "a")]),
        lambda: store.save_server(Server("s")),
        lambda: store.decide("s", "a", "hash", approve=True, by="cli"),
        lambda: store.forget(["s"]),
    ):
        change()
        versions.append(store.version())
    assert [after - before for before, after in pairwise(versions)] == [1, 1, 1, 1]
    store.log_use({"query": "x"})
    store.save_embeddings("m", {"k": np.ones(3, dtype=np.float32)})
    assert store.version() == versions[-1]


def test_a_decision_names_a_hash_and_gives_that_definition_its_status(store: Store):
    waiting, other = tool("s", "a", Status.WITHDRAWN, "changed"), tool("s", "b", Status.PENDING, "new")
    store.save_listing(Server("s"), [waiting, other])
    store.decide("s", "a", waiting.hash, approve=True, by="cli")
    store.decide("s", "b", "another hash", approve=True, by="cli")
    assert store.tools() == [replace(waiting, status=Status.APPROVED, reason=""), other]
    store.decide("s", "a", waiting.hash, approve=False, by="cli")
    assert store.tools()[0].status is Status.REJECTED


def test_a_refused_definition_cannot_be_approved(store: Store):
    store.save_listing(Server("s"), [Tool(tool("s", "a").id, "s", "a", {}, "", 0, Status.REFUSED, "malformed")])
    store.decide("s", "a", "", approve=True, by="cli")
    assert store.tools()[0].status is Status.REFUSED


def test_the_latest_decision_on_a_hash_counts_and_all_are_kept(store: Store):
    for approve in (True, False):
        store.decide("s", "a", "one", approve=approve, by="cli")
    store.decide("s", "a", "two", approve=True, by="cli")
    assert store.approved_hashes("s") == {"a": {"two"}}
    assert store.rejected_hashes("s") == {"a": {"one"}}
    assert [(made.hash, made.approved) for made in store.decisions("s")] == [
        ("one", True),
        ("one", False),
        ("two", True),
    ]


def test_decisions_belong_to_one_server(store: Store):
    store.decide("s", "a", "one", approve=True, by="cli")
    store.decide("t", "a", "two", approve=True, by="cli")
    assert store.approved_hashes("t") == {"a": {"two"}}
    assert len(store.decisions()) == 2
    assert [made.server for made in store.decisions("t")] == ["t"]


def test_a_trust_mode_never_overrules_a_decision(store: Store):
    store.decide("s", "a", tool("s", "a").hash, approve=False, by="cli")
    store.save_listing(Server("s"), [tool("s", "a")], [decision("a", by="trust"), decision("b", by="trust")])
    assert set(store.rejected_hashes("s")) == {"a"}
    assert set(store.approved_hashes("s")) == {"b"}


def test_a_name_is_seen_for_the_first_time_once(store: Store):
    store.save_listing(Server("s"), [tool("s", "a")], [decision("a"), decision("b")])
    another = Decision("s", "a", "another", approved=True, by="first use", at=4.0)
    store.save_listing(Server("s"), [tool("s", "c")], [decision("c"), another])
    assert store.approved_hashes("s") == {name: {tool("s", name).hash} for name in "abc"}


def test_the_scanner_takes_back_what_a_mode_approved_and_nothing_else(store: Store):
    store.save_listing(Server("s"), [tool("s", "a"), tool("s", "b")], [decision("a"), decision("b")])
    store.decide("s", "b", tool("s", "b").hash, approve=True, by="cli")
    store.take_back([decision(name, by="scanner", approved=False) for name in "ab"])
    assert set(store.approved_hashes("s")) == {"b"}
    assert store.rejected_hashes("s") == {}
    store.decide("s", "a", tool("s", "a").hash, approve=True, by="cli")
    assert set(store.approved_hashes("s")) == {"a", "b"}


def test_what_was_approved_is_kept_as_it_was(store: Store):
    first = replace(decision("a"), said={"name": "a", "n": 1})
    store.save_listing(Server("s"), [tool("s", "a")], [first])
    store.save_listing(Server("s"), [], [replace(first, name="b", said={"name": "b"})])
    store.decide("s", "c", "shown", approve=True, by="cli", said={"name": "c"})
    store.decide("s", "d", "refused", approve=False, by="cli", said={"name": "d"})
    kept = [store.definition(each) for each in (tool("s", "a").hash, "shown", "refused", "nothing")]
    assert kept == [{"name": "a", "n": 1}, {"name": "c"}, None, None]


def test_what_each_check_saw_last_is_remembered(store: Store):
    version = store.version()
    assert (store.checked("scanned"), store.checked("probed")) == (0, 0)
    for key in (7, 2**60 - 1):
        store.note_checked("probed", key)
    assert (store.checked("scanned"), store.checked("probed"), store.version()) == (0, 2**60 - 1, version)


def test_embeddings_come_back_by_model_and_key(store: Store):
    vectors = {str(n): np.arange(n, n + 4, dtype=np.float32) for n in range(1_200)}
    store.save_embeddings("m", vectors)
    store.save_embeddings("other", {"0": np.zeros(2, dtype=np.float32)})
    found = store.embeddings("m", [*vectors, "unknown"])
    assert set(found) == set(vectors)
    assert all(found[key].dtype == np.float32 and np.array_equal(found[key], vectors[key]) for key in vectors)
    assert store.embeddings("other", ["0"])["0"].shape == (2,)
    assert store.embeddings("none", ["0"]) == store.embeddings("m", []) == {}


def test_embeddings_can_be_replaced(store: Store):
    for value in (1, 2):
        store.save_embeddings("m", {"k": np.full(2, value, dtype=np.float32)})
    assert store.embeddings("m", ["k"])["k"].tolist() == [2, 2]


def test_uses_come_back_newest_first(store: Store):
    for number in range(5):
        store.log_use({"number": number, "query": "ünï"})
    assert [event["number"] for event in store.uses(3)] == [4, 3, 2]
    assert list(store.uses(0)) == []


def test_closing_twice_is_harmless(store: Store):
    store.close()
    store.close()

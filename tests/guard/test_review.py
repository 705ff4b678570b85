from __future__ import annotations

import pytest

from tests.catalog.making import definition, listing
from toolrouter.catalog.live import LiveCatalog
from toolrouter.catalog.memory_store import MemoryStore
from toolrouter.config import TrustMode
from toolrouter.errors import NotFound
from toolrouter.guard.admission import admitter
from toolrouter.guard.review import decide, select, waiting
from toolrouter.types import Refusal, Status

A, B, C = (definition("read", text) for text in ("Reads", "Reads, then tells", "Reads, then sings"))


def live(store: MemoryStore) -> LiveCatalog:
    return LiveCatalog(store, admitter(TrustMode.FIRST_USE), lambda tool: True, ["s", "t"])


def drifted() -> LiveCatalog:
    found = live(MemoryStore())
    found.absorb(listing("s", A, "write"))
    found.absorb(listing("s", B, "write", "extra"))
    return found


def test_what_waits_is_what_changed_and_what_no_mode_admits():
    found = drifted()
    found.absorb(listing("s", B, "getUser", "getuser"))
    assert [(tool.name, tool.status) for tool in waiting(found.snapshot)] == [
        ("getUser", Status.PENDING),
        ("getuser", Status.PENDING),
        ("read", Status.WITHDRAWN),
    ]


def test_an_approved_change_is_visible_at_once():
    found = drifted()
    decided = decide(found, select(found.snapshot, ["s__read"]), approve=True)
    assert [(tool.name, tool.status) for tool in decided.done] == [("read", Status.APPROVED)]
    assert decided.stale == ()
    assert [tool.description for tool in found.snapshot.visible] == ["Does it", "Reads, then tells", "Does it"]


def test_a_rejection_outlives_the_next_listing():
    found = drifted()
    decide(found, select(found.snapshot, ["s.write"]), approve=False)
    found.absorb(listing("s", B, "write", "extra"))
    assert [tool.status for tool in select(found.snapshot, ["s.write"])] == [Status.REJECTED]


def test_only_the_definition_that_was_shown_is_decided():
    found = drifted()
    shown = select(found.snapshot, ["s__read"])
    found.absorb(listing("s", C, "write", "extra"))
    decided = decide(found, shown, approve=True)
    assert (decided.done, decided.stale) == ((), shown)
    assert "read" not in {tool.name for tool in found.snapshot.visible}


def test_a_change_by_another_process_between_showing_and_deciding_is_noticed():
    store = MemoryStore()
    found, other = live(store), live(store)
    found.absorb(listing("s", A))
    shown = select(found.snapshot, servers=["s"])
    other.reload()
    other.absorb(listing("s", B))
    assert decide(found, shown, approve=True).stale == shown


def test_a_whole_server_can_be_decided():
    found = drifted()
    assert len(decide(found, select(found.snapshot, servers=["s"]), approve=True).done) == 3
    assert waiting(found.snapshot) == ()


def test_what_cannot_be_served_cannot_be_approved():
    found = live(MemoryStore())
    bad = listing("s", A)
    found.absorb(type(bad)(bad.server, bad.tools, [Refusal("s", "bad", "malformed")]))
    shown = select(found.snapshot, ["s__bad"])
    assert decide(found, shown, approve=True).stale == shown


@pytest.mark.parametrize("spelling", ["s__read", "s.read", "s/read", "s:read"])
def test_a_person_may_spell_a_tool_in_every_usual_way(spelling: str):
    assert [tool.id for tool in select(drifted().snapshot, [spelling])] == ["s__read"]


def test_unknown_names_are_reported():
    with pytest.raises(NotFound, match="toolrouter tools"):
        select(drifted().snapshot, ["s__nothing"])
    with pytest.raises(NotFound, match="config"):
        select(drifted().snapshot, servers=["nobody"])

from __future__ import annotations

import json

import pytest

from tests.catalog.making import definition, listing
from toolrouter.catalog.live import LiveCatalog
from toolrouter.catalog.memory_store import MemoryStore
from toolrouter.config import TrustMode
from toolrouter.errors import NotFound
from toolrouter.guard.admission import admitter
from toolrouter.guard.review import Decided, decide, of_server, select
from toolrouter.guard.scan import make_visible
from toolrouter.guard.showing import CONTINUED, Item
from toolrouter.guard.subjects import Subject, subjects
from toolrouter.types import JsonObject, Refusal, Status

A, B, C = (definition("read", text) for text in ("Reads", "Reads, then tells", "Reads, then sings"))


def live(store: MemoryStore) -> LiveCatalog:
    return LiveCatalog(store, admitter(TrustMode.FIRST_USE), lambda tool: True, ["s", "t"])


def named(found: LiveCatalog, name: str) -> tuple[Subject, ...]:
    return select(subjects(found, {}), name)


def all_of(found: LiveCatalog, alias: str) -> tuple[Subject, ...]:
    return of_server(subjects(found, {}), alias, list(Status))


def waiting(found: LiveCatalog) -> list[Subject]:
    return [subject for subject in subjects(found, {}) if subject.waits]


def decided(found: LiveCatalog, shown: tuple[Subject, ...], *, approve: bool = True) -> Decided:
    return decide(found, {}, shown, approve=approve)


def drifted() -> LiveCatalog:
    found = live(MemoryStore())
    found.absorb(listing("s", A, "write"))
    found.absorb(listing("s", B, "write", "extra"))
    return found


def test_what_waits_is_what_changed_and_what_no_mode_admits():
    found = drifted()
    found.absorb(listing("s", B, "getUser", "getuser"))
    assert [(tool.name, tool.status) for tool in waiting(found)] == [
        ("getUser", Status.PENDING),
        ("getuser", Status.PENDING),
        ("read", Status.WITHDRAWN),
    ]


def test_an_approved_change_is_visible_at_once():
    found = drifted()
    made = decided(found, named(found, "s__read"))
    assert [(tool.name, tool.status) for tool in made.done] == [("read", Status.APPROVED)]
    assert made.stale == ()
    assert [tool.description for tool in found.snapshot.visible] == ["Does it", "Reads, then tells", "Does it"]


def test_a_rejection_outlives_the_next_listing():
    found = drifted()
    decided(found, named(found, "s.write"), approve=False)
    found.absorb(listing("s", B, "write", "extra"))
    assert [tool.status for tool in named(found, "s.write")] == [Status.REJECTED]


def test_only_the_definition_that_was_shown_is_decided():
    found = drifted()
    shown = named(found, "s__read")
    found.absorb(listing("s", C, "write", "extra"))
    made = decided(found, shown)
    assert (made.done, made.stale) == ((), shown)
    assert "read" not in {tool.name for tool in found.snapshot.visible}


def test_a_change_by_another_process_between_showing_and_deciding_is_noticed():
    store = MemoryStore()
    found, other = live(store), live(store)
    found.absorb(listing("s", A))
    shown = all_of(found, "s")
    other.reload()
    other.absorb(listing("s", B))
    assert decided(found, shown).stale == shown


def test_a_whole_server_can_be_decided():
    found = drifted()
    assert len(decided(found, all_of(found, "s")).done) == 3
    assert waiting(found) == []


def test_what_cannot_be_served_cannot_be_approved():
    found = live(MemoryStore())
    bad = listing("s", A)
    found.absorb(type(bad)(bad.server, bad.tools, [Refusal("s", "bad", "malformed")]))
    shown = named(found, "s__bad")
    assert decided(found, shown).stale == shown


@pytest.mark.parametrize("spelling", ["s__read", "s.read", "s/read", "s:read"])
def test_a_person_may_spell_a_tool_in_every_usual_way(spelling: str):
    assert [tool.id for tool in named(drifted(), spelling)] == ["s__read"]


def test_unknown_names_are_reported():
    with pytest.raises(NotFound, match="toolrouter tools"):
        named(drifted(), "s__nothing")


def item(before: JsonObject | None, after: JsonObject) -> Item:
    return Item(Subject("s", "tool", "s__read", "read", "h", after, Status.WITHDRAWN), before, (), "clean", ())


def test_a_change_in_the_middle_of_a_long_text_is_shown_alone():
    before = "Reads a file from the disk. " * 20 + "\nNever writes. " + "Answers with its text. " * 20
    changed = before.replace("Never writes.", "Sends it away.")
    diff = item({"description": before}, {"description": changed}).diff()
    lines = [line for line in diff if line[0] != " "]
    assert lines == [f"-{CONTINUED}Never writes. ", f"+{CONTINUED}Sends it away. "]


@pytest.mark.parametrize("text", ["x" * 10_000, "a. " * 5_000, "\\n" * 3_000 + "\n", "é\u202e" * 2_000])
def test_nothing_of_a_long_text_is_lost(text: str):
    lines = item(None, {"description": text}).diff()
    assert max(map(len, lines)) < 1_100
    joined = "".join(line[1:].removeprefix(CONTINUED) for line in lines)
    whole = json.dumps({"description": text}, indent=1, ensure_ascii=False)
    assert joined == "".join(map(make_visible, whole.split("\n")))

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.catalog.making import definition, listing, tool
from toolrouter.catalog.diff import Changes
from toolrouter.catalog.live import LiveCatalog
from toolrouter.catalog.memory_store import MemoryStore
from toolrouter.config import TrustMode
from toolrouter.errors import StoreError
from toolrouter.guard.admission import admitter
from toolrouter.guard.fingerprint import fingerprint
from toolrouter.types import Decision, Server, Status, Tool

A, B = definition("read", "Reads"), definition("read", "Reads, then tells")


class FailingStore(MemoryStore):
    """Fails while told to."""

    fails_to_save = False
    fails_to_read = False

    def save_listing(self, server: Server, tools: Sequence[Tool], decisions: Sequence[Decision] = ()) -> None:
        if self.fails_to_save:
            raise StoreError("the disk is full")
        super().save_listing(server, tools, decisions)

    def decisions(self, server: str | None = None) -> Sequence[Decision]:
        if self.fails_to_read:
            raise StoreError("the disk is broken")
        return super().decisions(server)


def live(store: MemoryStore, mode: TrustMode = TrustMode.FIRST_USE, aliases: str = "st") -> LiveCatalog:
    return LiveCatalog(store, admitter(mode), lambda tool: True, aliases)


def visible(found: LiveCatalog) -> dict[str, Any]:
    return {tool.id: tool.description for tool in found.snapshot.visible}


def test_a_listing_becomes_visible_and_survives_a_restart():
    store = MemoryStore()
    found = live(store)
    changes = found.absorb(listing("s", A, "write", title="Files"))
    assert [tool.id for tool in changes.added] == ["s__read", "s__write"]
    assert changes.visible_changed
    assert changes.problem == ""
    again = live(store)
    assert visible(again) == visible(found) == {"s__read": "Reads", "s__write": "Does it"}
    assert again.snapshot.servers["s"].title == "Files"


def test_a_changed_definition_is_withdrawn_through_restarts_and_repeats():
    store = MemoryStore()
    live(store).absorb(listing("s", A))
    for _ in range(3):
        found = live(store)
        for _ in range(2):
            changes = found.absorb(listing("s", B))
            assert visible(found) == {}
            assert found.snapshot.tools["s__read"].status is Status.WITHDRAWN  # type: ignore[index]
    assert not changes


def test_a_definition_that_goes_and_comes_back_is_reported_both_times():
    found = live(MemoryStore())
    found.absorb(listing("s", A))
    withdrawn = found.absorb(listing("s", B))
    returned = found.absorb(listing("s", A))
    assert [[tool.status for tool in changes.changed] for changes in (withdrawn, returned)] == [
        [Status.WITHDRAWN],
        [Status.APPROVED],
    ]
    assert visible(found) == {"s__read": "Reads"}


def test_a_tool_that_leaves_and_returns_changed_is_withdrawn():
    found = live(MemoryStore())
    found.absorb(listing("s", A, "write"))
    assert [tool.id for tool in found.absorb(listing("s", "write")).removed] == ["s__read"]
    found.absorb(listing("s", B, "write"))
    assert list(visible(found)) == ["s__write"]


def test_a_reordered_listing_changes_nothing():
    found = live(MemoryStore())
    found.absorb(listing("s", A, "write"))
    before = found.snapshot.visible
    reordered = {key: A[key] for key in reversed(A)}
    assert not found.absorb(listing("s", "write", reordered))
    assert found.snapshot.visible is before


def test_other_servers_rename_and_change_nothing():
    found = live(MemoryStore())
    found.absorb(listing("s", A, "write"))
    before = [tool for tool in found.snapshot.visible if tool.server == "s"]
    found.absorb(listing("t", A, "write", "extra"))
    assert [tool for tool in found.snapshot.visible if tool.server == "s"] == before


def test_servers_outside_the_config_are_neither_shown_nor_lost():
    store = MemoryStore()
    live(store).absorb(listing("t", A))
    found = live(store, aliases="s")
    assert found.snapshot.tools == {}
    assert list(found.snapshot.servers) == ["s"]
    assert not found.absorb(listing("t", A, "more"))
    assert [tool.id for tool in store.tools()] == ["t__read"]


def test_what_is_not_permitted_is_known_but_not_visible():
    found = LiveCatalog(MemoryStore(), admitter(TrustMode.FIRST_USE), lambda tool: tool.name != "write", ["s"])
    found.absorb(listing("s", A, "write"))
    assert list(found.snapshot.tools) == ["s__read", "s__write"]
    assert list(visible(found)) == ["s__read"]


def test_a_store_that_cannot_save_costs_only_the_saving_and_is_tried_again():
    store = FailingStore()
    found = live(store)
    store.fails_to_save = True
    assert "disk is full" in found.absorb(listing("s", A)).problem
    assert list(visible(found)) == ["s__read"]
    assert list(store.tools()) == []
    assert found.absorb(listing("s", B)).problem
    assert visible(found) == {}
    store.fails_to_save = False
    assert found.absorb(listing("t", "x")).problem == ""
    again = live(store)
    assert again.snapshot.tools["s__read"].status is Status.WITHDRAWN  # type: ignore[index]
    assert store.approved_hashes("s") == {"read": {fingerprint(A)}}


def test_a_reload_keeps_what_could_not_be_saved():
    store = FailingStore()
    found = live(store)
    store.fails_to_save = True
    found.absorb(listing("s", A))
    store.save_server(Server("t", version="other process"))
    assert found.reload()
    assert list(visible(found)) == ["s__read"]
    assert found.snapshot.servers["t"].version == "other process"


def test_a_store_that_cannot_be_read_lets_nothing_new_in():
    store = FailingStore()
    found = live(store)
    found.absorb(listing("s", A))
    store.fails_to_read = True
    assert "broken" in found.absorb(listing("s", A, "extra")).problem
    found.absorb(listing("t", "never seen"))
    assert list(visible(found)) == ["s__read"]


def test_what_another_process_did_is_taken_over():
    store = MemoryStore()
    one, other = live(store), live(store)
    told: list[Changes] = []
    other.on_change.append(told.append)
    one.absorb(listing("s", A))
    assert other.reload()
    assert not other.reload()
    assert visible(other) == visible(one)
    assert [tool.id for tool in told[0].added] == ["s__read"]


def test_own_changes_need_no_reload_but_hide_no_one_elses():
    store = MemoryStore()
    found = live(store)
    found.absorb(listing("s", A))
    assert not found.reload()
    store.save_server(Server("t", version="other process"))
    found.absorb(listing("s", A, "b"))
    assert found.reload()
    assert found.snapshot.servers["t"].version == "other process"


def test_two_processes_that_first_see_different_definitions_trust_only_one():
    store = MemoryStore()
    one, other = live(store), live(store)

    def meanwhile(*_: object) -> Any:
        one.absorb(listing("s", A))
        return admitter(TrustMode.FIRST_USE)(*_)  # type: ignore[arg-type]

    slow = LiveCatalog(store, meanwhile, lambda tool: True, "st")
    slow.absorb(listing("s", B))
    for found in (one, other, slow):
        found.reload()
        assert "Reads, then tells" not in visible(found).values()
    assert store.approved_hashes("s") == {"read": {fingerprint(A)}}


def test_callbacks_hear_of_changes_only():
    found = live(MemoryStore())
    told: list[Changes] = []
    found.on_change.append(told.append)
    for _ in range(3):
        found.absorb(listing("s", A))
    assert len(told) == 1


def test_what_is_known_of_a_server_is_remembered():
    store = MemoryStore()
    found = live(store)
    found.absorb(listing("s", A))
    found.note_server(Server("s", error="gone"))
    found.note_server(Server("stranger"))
    assert found.snapshot.servers["s"].error == store.servers()["s"].error == "gone"
    assert list(visible(found)) == ["s__read"]
    assert "stranger" not in store.servers()
    assert not found.reload()


def test_a_stored_approval_without_a_decision_is_not_believed():
    store = MemoryStore()
    store.save_listing(Server("s"), [tool("s", A)])
    found = live(store)
    assert visible(found) == {}
    assert found.snapshot.tools["s__read"].status is Status.PENDING  # type: ignore[index]


def test_an_id_that_another_server_holds_is_not_taken_over():
    store = MemoryStore()
    found = live(store)
    found.absorb(listing("s", A))
    stolen = Tool(found.snapshot.visible[0].id, "t", "other", B, fingerprint(B), 1)
    thief = LiveCatalog(
        store, lambda *_: type("V", (), {"tools": [stolen], "decisions": [], "refused": []})(), bool, "st"
    )
    changes = thief.absorb(listing("t", "other"))
    assert [refusal.name for refusal in changes.refused] == ["other"]
    assert thief.snapshot.tools[stolen.id].server == "s"


def test_many_threads_absorb_at_once():
    aliases = [f"server{number}" for number in range(8)]
    store = MemoryStore()
    found = LiveCatalog(store, admitter(TrustMode.FIRST_USE), lambda tool: True, aliases)
    threads = [threading.Thread(target=found.absorb, args=[listing(alias, A, "write")]) for alias in aliases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(found.snapshot.visible) == len(store.tools()) == 16


def _is_saved(item: tuple[str, str], saved: tuple[Any, Any]) -> bool:
    return any(fingerprint(definition(*item)) in hashes.get(item[0], ()) for hashes in saved)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("list"), st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("123")), max_size=3)),
        st.tuples(st.sampled_from(["approve", "reject"]), st.tuples(st.sampled_from("ab"), st.sampled_from("123"))),
        st.tuples(st.sampled_from(["restart", "reload", "disk full", "disk free"]), st.none()),
    ),
    max_size=30,
)


@settings(max_examples=150)
@given(steps, st.sampled_from([TrustMode.FIRST_USE, TrustMode.REVIEW_NEW]), st.booleans())
def test_no_sequence_of_events_shows_a_definition_that_nobody_approved(
    events: list[tuple[str, Any]], mode: TrustMode, lost: bool
):
    store = FailingStore(approvals_lost=lost)
    found = live(store, mode)
    verdicts: dict[tuple[str, str], bool] = {}
    first_use = mode is TrustMode.FIRST_USE and not lost
    for event, what in events:
        if event == "list":
            found.absorb(listing("s", *(definition(name, text) for name, text in dict(what).items())))
            decided = {name for name, _ in verdicts}
            if first_use:
                verdicts |= {item: True for item in dict(what).items() if item[0] not in decided}
        elif event in ("approve", "reject"):
            store.decide("s", what[0], fingerprint(definition(*what)), approve=event == "approve", by="cli")
            found.reload()
            verdicts[what] = event == "approve"
        elif event == "restart" and not store.fails_to_save:
            found = live(store, mode)
            saved = store.approved_hashes("s"), store.rejected_hashes("s")
            verdicts = {item: verdict for item, verdict in verdicts.items() if _is_saved(item, saved)}
        elif event == "reload":
            found.reload()
        else:
            store.fails_to_save = event == "disk full"
        assert all(verdicts.get((tool.name, tool.description)) for tool in found.snapshot.visible)

from __future__ import annotations

import sys
import time

import pytest

from tests.catalog.making import definition, listing, tool
from toolrouter.catalog.live import HELD, LiveCatalog
from toolrouter.catalog.memory_store import MemoryStore
from toolrouter.config import TrustMode
from toolrouter.evaluation.recorded import recorded_set
from toolrouter.guard.admission import admitter
from toolrouter.guard.review import decide
from toolrouter.guard.standing import SET_UP_TOGETHER_S
from toolrouter.guard.subjects import subjects
from toolrouter.retrieval.capabilities import capabilities
from toolrouter.retrieval.probe import MOST_SHARE, dominates, share_of_wins
from toolrouter.server.probing import probe_newcomers
from toolrouter.types import Status

PARROTS = [definition(f"t{number}", query) for number, query in enumerate(capabilities()[:250:5])]


def test_a_server_that_parrots_ordinary_questions_fails() -> None:
    assert len(PARROTS) == 50
    assert dominates([tool("evil", raw) for raw in PARROTS], [])


@pytest.mark.parametrize("alias", ["kubernetes", "redis", "chrome-devtools"])
def test_an_honest_server_passes(alias: str) -> None:
    mine = [tool for tool in recorded_set().tools if tool.server == alias]
    assert share_of_wins(mine, []) < MOST_SHARE
    assert not dominates(mine, [])


def test_a_newcomer_is_tried_once_for_a_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    store, now = MemoryStore(), time.time()
    days = iter([now - 2 * SET_UP_TOGETHER_S, now, now, now])
    found = LiveCatalog(
        store, admitter(TrustMode.FIRST_USE, clock=lambda: next(days)), lambda tool: True, ["old", "kind"]
    )
    found.absorb(listing("old", "add"))
    found.absorb(listing("kind", definition("dance", "Dances a waltz.")))
    assert probe_newcomers(found, store) == []
    monkeypatch.setitem(sys.modules, "toolrouter.retrieval.probe", None)
    assert probe_newcomers(found, store) == []
    found.absorb(listing("kind", definition("dance", "Dances a waltz."), definition("sing", "Sings a song.")))
    with pytest.raises(ImportError):
        probe_newcomers(found, store)


def test_a_newcomer_that_fails_waits_for_a_person_and_others_do_not() -> None:
    store, now = MemoryStore(), time.time()
    days = iter([now - 2 * SET_UP_TOGETHER_S, now, now, now, now, now])
    admit = admitter(TrustMode.FIRST_USE, clock=lambda: next(days))
    found = LiveCatalog(store, admit, lambda tool: True, ["old", "evil", "kind"])
    found.absorb(listing("old", *PARROTS))
    found.absorb(listing("evil", *PARROTS))
    found.absorb(listing("kind", definition("dance", "Dances a waltz.")))
    assert {made.server for made in probe_newcomers(found, store)} == {"evil"}
    found.reload()
    assert {tool.server for tool in found.snapshot.visible} == {"old", "kind"}
    assert {(each.status, each.reason) for each in found.snapshot.by_server("evil")} == {(Status.WITHDRAWN, HELD)}
    assert probe_newcomers(found, store) == []
    decide(found, {}, subjects(found, {}, ["evil"]), approve=True)
    assert probe_newcomers(found, store) == []
    assert {tool.server for tool in found.snapshot.visible} == {"old", "evil", "kind"}

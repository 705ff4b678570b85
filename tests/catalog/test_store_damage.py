"""What is left of a store whose files were damaged, lost or cut."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.catalog.making import definition, listing, tool
from tests.catalog.stores import fill, live, opened, statuses
from toolrouter.catalog.store import open_store
from toolrouter.errors import StoreError
from toolrouter.types import Status


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database " * 500)


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def scribbled(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096 : len(content) : 512] = b"\xff" * len(content[4096 : len(content) : 512])
    path.write_bytes(content)


def removed(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [garbage, truncated, scribbled])
def test_a_damaged_database_is_set_aside_and_proven_approvals_hold(tmp_path: Path, damage: Callable[[Path], None]):
    fill(tmp_path)
    damage(tmp_path / "state.db")
    broken = (tmp_path / "state.db").read_bytes()
    with opened(tmp_path) as store:
        assert store.set_aside is not None
        assert store.set_aside.name.startswith("state.db.corrupt-")
        assert store.set_aside.read_bytes() == broken
        assert store.approvals_lost()
        assert list(store.tools()) == []
    changed = definition("write", "Changed")
    with opened(tmp_path) as store:
        found = live(store)
        found.absorb(listing("s", "read", changed, "extra"))
        found.absorb(listing("t", "never seen"))
        assert {tool.name: tool.status for tool in found.snapshot.tools.values()} == {
            "read": Status.APPROVED,
            "write": Status.WITHDRAWN,
            "extra": Status.PENDING,
            "never seen": Status.PENDING,
        }


@pytest.mark.parametrize("damage", [emptied, removed])
def test_a_database_that_vanished_beside_its_journal_is_no_fresh_start(tmp_path: Path, damage: Callable[[Path], None]):
    fill(tmp_path)
    damage(tmp_path / "state.db")
    with opened(tmp_path) as store:
        found = live(store)
        found.absorb(listing("s", "read", definition("write", "Changed")))
        found.absorb(listing("t", "never seen"))
        assert [tool.name for tool in found.snapshot.visible] == ["read"]


@pytest.mark.parametrize("damage", [garbage, removed])
def test_without_any_record_nothing_counts_as_approved(tmp_path: Path, damage: Callable[[Path], None]):
    fill(tmp_path)
    garbage(tmp_path / "state.db")
    damage(tmp_path / "approvals.jsonl")
    assert statuses(tmp_path, "read") == {"read": Status.PENDING}
    assert statuses(tmp_path, "read") == {"read": Status.PENDING}


def test_a_damaged_journal_line_costs_only_its_approval(tmp_path: Path):
    fill(tmp_path)
    journal = tmp_path / "approvals.jsonl"
    journal.write_text(journal.read_text().replace('"write"', '"wrote"'))
    garbage(tmp_path / "state.db")
    assert statuses(tmp_path, "read", "write", "wrote") == {
        "read": Status.APPROVED,
        "write": Status.PENDING,
        "wrote": Status.PENDING,
    }


def test_a_lost_journal_is_written_again_from_a_sound_database(tmp_path: Path):
    fill(tmp_path)
    journal = tmp_path / "approvals.jsonl"
    before = journal.read_bytes()
    journal.unlink()
    with opened(tmp_path) as store:
        assert not store.approvals_lost()
    assert journal.read_bytes() == before


def test_a_person_may_accept_the_loss_of_approvals(tmp_path: Path):
    garbage(tmp_path / "state.db")
    assert statuses(tmp_path, "read") == {"read": Status.PENDING}
    with opened(tmp_path) as store:
        store.accept_loss()
    assert statuses(tmp_path, "read") == {"read": Status.APPROVED}


def test_a_second_damage_does_not_overwrite_the_first_file_set_aside(tmp_path: Path):
    for number in range(3):
        (tmp_path / "state.db").write_bytes(f"garbage {number} ".encode() * 200)
        open_store(tmp_path).close()
    assert len(list(tmp_path.glob("state.db.corrupt-*"))) == 3


def test_every_truncation_leaves_a_working_store(tmp_path: Path):
    fill(tmp_path)
    whole = (tmp_path / "state.db").read_bytes()
    for size in range(1, len(whole), len(whole) // 12):
        (tmp_path / "state.db").write_bytes(whole[:size])
        with opened(tmp_path) as store:
            live(store).absorb(listing("s", "read"))
            assert store.approved_hashes("s")["read"] == {tool("s", "read").hash}


def test_a_damage_met_while_running_is_a_clear_error(tmp_path: Path):
    fill(tmp_path)
    with opened(tmp_path) as store:
        store._connection.execute("PRAGMA cache_size = 0")
        store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        scribbled(tmp_path / "state.db")
        with pytest.raises(StoreError, match="damaged"):
            store.tools()


OPENER = """
import sys
from pathlib import Path
from toolrouter.catalog.store import open_store
store = open_store(Path(sys.argv[1]))
store.decide("s", "read", sys.argv[2], approve=True, by="cli")
store.close()
"""


def test_processes_that_find_the_same_damage_set_it_aside_once(tmp_path: Path):
    garbage(tmp_path / "state.db")
    root = Path(__file__).parents[2]
    openers = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER, str(tmp_path), str(n)], cwd=root, stderr=subprocess.PIPE, text=True
        )
        for n in range(4)
    ]
    for opener in openers:
        _, errors = opener.communicate(timeout=100)
        assert opener.returncode == 0, errors
    assert len(list(tmp_path.glob("state.db.corrupt-*"))) == 1
    with opened(tmp_path) as store:
        assert store.approved_hashes("s") == {"read": {"0", "1", "2", "3"}}

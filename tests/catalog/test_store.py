from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.catalog.making import definition, listing
from tests.catalog.stores import fill, live, opened, statuses
from toolrouter.catalog.database import SCHEMA_VERSION
from toolrouter.catalog.store import MAX_USES, open_store
from toolrouter.errors import StoreError
from toolrouter.places import others_may_write
from toolrouter.types import Server, Status

posix = pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
gives_away = pytest.mark.skipif(os.name == "posix" and os.getuid() != 0, reason="only root gives files away")


def test_everything_survives_closing(tmp_path: Path):
    fill(tmp_path)
    with opened(tmp_path) as store:
        assert [tool.name for tool in live(store).snapshot.visible] == ["read", "write"]
        assert len(store.embeddings("m", ["1", "2"])) == 2
        assert store.set_aside is None
        assert not store.read_only


@posix
def test_the_folder_and_its_files_belong_to_their_owner_alone(tmp_path: Path):
    home = tmp_path / "deep" / "home"
    fill(home)
    with opened(home) as store:
        store.save_server(Server("s"))
        assert home.stat().st_mode & 0o777 == 0o700
        assert {path.name: path.stat().st_mode & 0o077 for path in home.iterdir() if path.stat().st_mode & 0o077} == {}


@posix
@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o702])
def test_a_folder_that_others_can_write_to_is_not_used(tmp_path: Path, mode: int):
    fill(tmp_path)
    tmp_path.chmod(mode)
    with pytest.raises(StoreError, match="chmod 700"):
        open_store(tmp_path)
    tmp_path.chmod(0o755)
    open_store(tmp_path).close()


@posix
@gives_away
def test_a_folder_of_somebody_else_or_of_a_group_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    os.chown(tmp_path, 12_345, -1)
    with monkeypatch.context() as as_user:
        as_user.setattr(os, "getuid", lambda: 54_321)
        with pytest.raises(StoreError, match=r"belongs to another user .*prove nothing; name a folder of your own"):
            open_store(tmp_path)
    os.chown(tmp_path, os.getuid(), 12_345)
    tmp_path.chmod(0o770)
    with pytest.raises(StoreError, match="the group 12345 can write"):
        open_store(tmp_path)
    tmp_path.chmod(0o750)
    open_store(tmp_path).close()


@posix
@gives_away
@pytest.mark.parametrize(("uid", "gid", "mode"), [(12_345, 12_345, 0o775), (12_345, 54_321, 0o755), (0, 0, 0o770)])
def test_root_uses_the_folder_that_somebody_mounted_into_a_container(tmp_path: Path, uid: int, gid: int, mode: int):
    os.chown(tmp_path, uid, gid)
    tmp_path.chmod(mode)
    open_store(tmp_path).close()


@posix
@pytest.mark.parametrize(("member", "used"), [([], True), (["anna"], True), (["anna", "bob"], False)])
def test_a_group_that_is_the_users_alone_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, member: list[str], *, used: bool
):
    import grp
    import pwd

    user, group = SimpleNamespace(pw_name="anna"), SimpleNamespace(gr_name="anna", gr_mem=member)
    monkeypatch.setattr(pwd, "getpwuid", lambda _: user)
    monkeypatch.setattr(grp, "getgrgid", lambda _: group)
    if tmp_path.stat().st_gid == 0:  # root's own group is trusted in any case
        os.chown(tmp_path, -1, 12_345)
    tmp_path.chmod(0o775)
    assert (others_may_write(str(tmp_path)) == "") is used


@posix
def test_a_link_in_place_of_the_database_is_not_followed(tmp_path: Path):
    (tmp_path / "state.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="link"):
        open_store(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_home_that_is_a_file_is_reported(tmp_path: Path):
    (tmp_path / "home").write_text("x")
    with pytest.raises(StoreError, match="cannot be made"):
        open_store(tmp_path / "home")


def test_a_fresh_home_is_a_first_use(tmp_path: Path):
    assert statuses(tmp_path / "new", "read") == {"read": Status.APPROVED}


def test_a_store_of_a_newer_version_is_left_alone(tmp_path: Path):
    fill(tmp_path)
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(StoreError, match="newer toolrouter"):
        open_store(tmp_path)
    assert list(tmp_path.glob("*.corrupt-*")) == []


def test_another_programs_database_is_left_alone(tmp_path: Path):
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(StoreError, match="another program"):
        open_store(tmp_path)


def test_a_full_disk_loses_nothing_and_says_so(tmp_path: Path):
    fill(tmp_path)
    with opened(tmp_path) as store:
        journal = (tmp_path / "approvals.jsonl").read_bytes()
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        before = (list(store.tools()), store.version(), list(store.decisions()))
        found = live(store)
        big = definition("new", "x" * 100_000)
        changes = found.absorb(listing("t", big))
        assert "the disk is full" in changes.problem
        assert "t__new" in {tool.id for tool in found.snapshot.visible}
        assert (list(store.tools()), store.version(), list(store.decisions())) == before
        assert (tmp_path / "approvals.jsonl").read_bytes() == journal
        with pytest.raises(StoreError, match=r"disk is full.*Nothing was changed"):
            store.save_embeddings("m", {str(n): np.ones(1024, dtype=np.float32) for n in range(500)})
        store.log_use({"query": "x" * 100_000})
        store._connection.execute("PRAGMA max_page_count = 1000000")
        assert found.absorb(listing("t", big)).problem == ""
    with opened(tmp_path) as store:
        assert "t__new" in {tool.id for tool in live(store).snapshot.visible}


def test_a_journal_that_cannot_be_written_records_no_approval(tmp_path: Path):
    fill(tmp_path)
    with opened(tmp_path) as store:
        journal = tmp_path / "approvals.jsonl"
        kept = journal.rename(tmp_path / "kept")
        journal.mkdir()
        with pytest.raises(StoreError, match="Nothing was changed"):
            store.decide("s", "read", "hash", approve=True, by="cli")
        journal.rmdir()
        kept.rename(journal)
        assert "hash" not in store.approved_hashes("s")["read"]


def test_a_write_protected_store_can_be_read(tmp_path: Path):
    fill(tmp_path)
    # A folder in place of the lock file stands for a disk on which nothing can be made; root may write anywhere.
    (tmp_path / "state.lock").unlink()
    (tmp_path / "state.lock").mkdir()
    with opened(tmp_path) as store:
        assert store.read_only
        found = live(store)
        assert [tool.name for tool in found.snapshot.visible] == ["read", "write"]
        assert "cannot be written" in found.absorb(listing("s", "read", "write", "extra")).problem
        assert [tool.name for tool in found.snapshot.visible] == ["extra", "read", "write"]


def test_decisions_can_be_neither_changed_nor_deleted(tmp_path: Path):
    fill(tmp_path)
    with opened(tmp_path) as store:
        for statement in ("UPDATE decisions SET hash = 'x'", "DELETE FROM decisions"):
            with pytest.raises(sqlite3.IntegrityError, match="never"):
                store._connection.execute(statement)
        assert len(store.decisions()) == 2


def test_a_file_replaced_by_another_process_is_followed(tmp_path: Path):
    fill(tmp_path)
    with opened(tmp_path) as store:
        found = live(store)
        for path in tmp_path.glob("state.db*"):
            path.rename(path.with_name(f"old-{path.name}"))
        with opened(tmp_path) as other:
            live(other).absorb(listing("s", "read"))
        assert found.reload()
        assert [tool.name for tool in found.snapshot.visible] == ["read"]


def test_a_closed_store_says_so(tmp_path: Path):
    store = open_store(tmp_path)
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.tools()
    with pytest.raises(StoreError, match="closed"):
        store.save_server(Server("s"))
    store.log_use({"query": "x"})


def test_the_log_of_uses_is_bounded(tmp_path: Path):
    with opened(tmp_path) as store:
        store._connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO uses (event) SELECT '{}' FROM n",
            (MAX_USES + 1_000,),
        )
        for number in range(256):
            store.log_use({"number": number})
        assert MAX_USES <= store._connection.execute("SELECT count(*) FROM uses").fetchone()[0] < MAX_USES + 256
        assert store.uses(1) == [{"number": 255}]


def test_an_event_that_is_no_json_is_dropped(tmp_path: Path):
    with opened(tmp_path) as store:
        store.log_use({"what": object()})
        assert list(store.uses(1)) == []


WRITER = """
import sys
from pathlib import Path
from tests.catalog.stores import fill, live, opened, statuses
from tests.catalog.making import definition, listing
from toolrouter.catalog.live import LiveCatalog
from toolrouter.catalog.store import open_store
from toolrouter.config import TrustMode
from toolrouter.guard.admission import admitter

home, me = Path(sys.argv[1]), sys.argv[2]
store = open_store(home)
found = LiveCatalog(store, admitter(TrustMode.FIRST_USE), lambda tool: True, ["one", "two"])
for number in range(15):
    changes = found.absorb(listing(me, definition("read"), version=str(number)))
    assert not changes.problem, changes.problem
    store.decide(me, "read", f"{me} {number}", approve=True, by="cli")
    found.reload()
store.close()
"""


def test_two_processes_write_at_once_and_nothing_is_lost(tmp_path: Path):
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    writers = [subprocess.Popen([*command, me], cwd=root, stderr=subprocess.PIPE, text=True) for me in ("one", "two")]
    for writer in writers:
        _, errors = writer.communicate(timeout=100)
        assert (writer.returncode, errors) == (0, "")
    with opened(tmp_path) as store:
        for me in ("one", "two"):
            assert {f"{me} {number}" for number in range(15)} < store.approved_hashes(me)["read"]
            assert store.servers()[me].version == "14"
        assert len(store.decisions()) == 32
        written = list(store.decisions())
    (tmp_path / "state.db").unlink()
    with opened(tmp_path) as store:
        assert list(store.decisions()) == written


KILLED = """
import sys
from pathlib import Path
from tests.catalog.stores import fill, live, opened, statuses
from tests.catalog.making import listing
from toolrouter.catalog.live import LiveCatalog
from toolrouter.catalog.store import open_store
from toolrouter.config import TrustMode
from toolrouter.guard.admission import admitter
store = open_store(Path(sys.argv[1]))
found = LiveCatalog(store, admitter(TrustMode.TRUST), lambda tool: True, ["s"])
number = 0
while True:
    number += 1
    found.absorb(listing("s", *(f"tool {number} {n}" for n in range(20))))
    print(number, flush=True)
"""


def test_a_process_killed_while_saving_leaves_the_old_or_the_new_state(tmp_path: Path):
    root = Path(__file__).parents[2]
    for lines in (1, 3):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path)], cwd=root, stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            for _ in range(lines):
                writer.stdout.readline()
            writer.kill()
        with opened(tmp_path) as store:
            assert store.set_aside is None
            found = live(store).snapshot.visible
            assert len(found) == 20
            assert len({tool.name.split()[1] for tool in found}) == 1

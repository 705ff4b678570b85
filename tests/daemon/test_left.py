"""What a daemon leaves for the time before the next one: answered from while it holds, and never longer."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.conftest import ENVELOPE, Home, Host, eventually, stub
from toolrouter import __version__
from toolrouter.catalog.store import open_store
from toolrouter.daemon.left import FirstAnswers, catalog_mark
from toolrouter.daemon.place import FileLock, Place

HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "h", "version": "1"}}
MODERN = {"_meta": ENVELOPE}


@contextmanager
def no_daemon_can_start(home: Home) -> Iterator[None]:
    lock = FileLock(home.place.start_lock)
    assert lock.acquire(60)
    try:
        yield
    finally:
        lock.release()


def leave_something(home: Home, *words: str) -> Host:
    """Lets a daemon serve and end; returns its last host, which has left."""
    assert home.run("index").returncode == 0
    host = home.host(*words).initialize()
    host.tools()
    exposure = words[-1] if words else None

    def held() -> bool:
        left = home.place.read_left()
        return left is not None and FirstAnswers(home.place, left, exposure).hold()

    eventually(held)
    home.daemon()
    host.leave()
    assert home.run("stop").returncode == 0
    return host


@pytest.mark.parametrize("era", ["handshake", "modern"])
def test_a_host_is_answered_before_a_daemon_runs_and_as_the_daemon_would(home: Home, era: str) -> None:
    def opened() -> tuple[Host, list[Any]]:
        host = home.host("--exposure", "all")
        if era == "modern":
            host.modern()
            return host, [host.ask("server/discover"), host.ask("tools/list")]
        answers = [host.ask("initialize", HELLO)]
        host.write({"method": "notifications/initialized"})
        return host, [*answers, host.ask("tools/list")]

    leave_something(home, "--exposure", "all")
    with no_daemon_can_start(home):
        early, first = opened()
        assert home.status() is None
        calling = early.start_call("stub__echo", {"text": "x"})
    assert "result" in early.answer(calling)
    late, second = opened()
    for answer in (*first, *second):
        answer.pop("ttlMs", None)
    assert first == second
    assert "stub__echo" in str(first[1])
    assert not early.notes
    assert (early.leave(), late.leave()) == (0, 0)


def test_what_was_withdrawn_meanwhile_is_not_shown_and_the_host_hears_of_it(home: Home) -> None:
    leave_something(home, "--exposure", "all")
    with no_daemon_can_start(home):
        host = home.host("--exposure", "all").initialize()
        assert "stub__echo" in host.tools()
        assert home.run("reject", "stub__echo").returncode == 0
        asked = host.send("tools/list")
    listed = host.answer(asked)["result"]["tools"]
    assert "stub__echo" not in [tool["name"] for tool in listed]
    assert "stub__pid" in [tool["name"] for tool in listed]
    host.leave()


def test_a_host_that_only_asked_what_is_known_may_leave_before_the_daemon_is_there(home: Home) -> None:
    leave_something(home)
    with no_daemon_can_start(home):
        host = home.host().initialize()
        assert "search_tools" in host.tools()
        assert host.leave() == 0


@pytest.fixture
def place(tmp_path: Path) -> Place:
    config = tmp_path / "toolrouter.json"
    config.write_text('{"mcpServers": {}}', encoding="utf-8")
    store = open_store(tmp_path)
    store.close()
    place = Place(str(tmp_path), str(config))
    place.prepare()
    texts = {"tools/list": '{"tools":["é"]}'}
    hello = '{"protocolVersion":"2025-11-25","instructions":"i"}'
    answers = {
        "handshake": {"versions": ["2025-06-18", "2025-11-25"], "initialize": hello, **texts},
        "modern": {"versions": ["2026-07-28"], "server/discover": "{}", **texts},
    }
    mark, text = catalog_mark(place.home), config.read_text(encoding="utf-8")
    place.write_left({"version": __version__, "config": text, "catalog": mark, "answers": {"": answers}})
    return place


def first_answers(place: Place, exposure: str | None = None) -> FirstAnswers:
    return FirstAnswers(place, place.read_left() or {}, exposure)


def test_each_era_is_answered_in_its_words(place: Place) -> None:
    old, new = first_answers(place), first_answers(place)
    assert old.answer(1, "tools/list", {}) is None
    hello = old.answer("a", "initialize", HELLO)
    assert hello is not None
    assert json.loads(hello) == {
        "jsonrpc": "2.0",
        "id": "a",
        "result": {"protocolVersion": "2025-06-18", "instructions": "i"},
    }
    assert old.answer(2, "tools/list", {}) == '{"jsonrpc":"2.0","id":2,"result":{"tools":["é"]}}\n'.encode()
    assert old.answer(3, "ping", {}) == b'{"jsonrpc":"2.0","id":3,"result":{}}\n'
    assert old.answer(4, "tools/list", MODERN) is None
    assert new.answer(1, "server/discover", MODERN) is not None
    assert new.answer(2, "tools/list", MODERN) is not None
    assert new.answer(3, "initialize", HELLO) is None
    unknown = {"_meta": {**ENVELOPE, "io.modelcontextprotocol/protocolVersion": "2199-01-01"}}
    assert first_answers(place).answer(1, "server/discover", unknown) is None


def test_an_unknown_version_is_answered_with_the_newest_of_the_era(place: Place) -> None:
    line = first_answers(place).answer(1, "initialize", {**HELLO, "protocolVersion": "1999-01-01"})
    assert line is not None
    assert json.loads(line)["result"]["protocolVersion"] == "2025-11-25"


def test_what_only_the_daemon_knows_waits_for_it(place: Place) -> None:
    first = first_answers(place)
    assert first.answer(1, "initialize", {"protocolVersion": 1}) is None
    assert first.answer(1, "initialize", HELLO)
    for method, params in (("tools/list", {"cursor": "after:a"}), ("tools/call", {"name": "x"}), ("prompts/list", {})):
        assert first.answer(2, method, params) is None
    assert not first_answers(place, "all").hold()


def edit_config(place: Place) -> None:
    config = Path(place.config)
    status = config.stat()
    config.write_text('{"mcpServers": []}', encoding="utf-8")
    os.utime(config, ns=(status.st_atime_ns, status.st_mtime_ns))


def reject_a_tool(place: Place) -> None:
    store = open_store(Path(place.home))
    store.decide("s", "t", "hash", approve=False, by="ada")
    store.close()


def put_in_another_database(place: Place) -> None:
    path = Path(place.home) / "state.db"
    copy = path.read_bytes()
    path.rename(path.with_suffix(".former"))
    path.write_bytes(copy)


def lose_the_database(place: Place) -> None:
    (Path(place.home) / "state.db").unlink()


@pytest.mark.parametrize("change", [edit_config, reject_a_tool, put_in_another_database, lose_the_database])
def test_after_any_change_of_what_it_was_made_from_nothing_is_answered(
    place: Place, change: Callable[[Place], None]
) -> None:
    first = first_answers(place)
    assert first.hold()
    assert first.answer(1, "initialize", HELLO)
    change(place)
    assert first.answer(2, "tools/list", {}) is None
    assert not first_answers(place).hold()


def test_what_another_version_left_or_others_can_read_is_not_used(place: Place) -> None:
    left = place.read_left()
    assert left
    place.write_left({**left, "version": "0.0.0"})
    assert not first_answers(place).hold()
    place.write_left(left)
    assert first_answers(place).hold()
    Path(place.left_path).chmod(0o644)
    assert not first_answers(place).hold()


def test_a_broken_edit_and_a_new_daemon_go_on_by_the_last_good_config_and_say_why(home: Home) -> None:
    home.configure({"stub": stub()}, servers={"stub": {"deny": ["echo"]}}, exposure="all")
    leave_something(home)
    home.config.write_text('{"mcpServers": {"stub": {"comand": "x"}}}', encoding="utf-8")
    host = home.host().initialize()
    names = host.tools()
    assert "stub__pid" in names
    assert "stub__echo" not in names
    problem = (home.status() or {})["config_problem"]
    assert "stub" in problem
    assert "not in effect" in home.run("status").stderr
    assert "serves by the config before the last edit" in home.run("doctor", "--no-connect", "--json").stdout
    assert "stays in effect" in home.run("logs").stdout
    home.configure({"stub": stub()}, exposure="all")
    eventually(lambda: "stub__echo" in host.tools())
    assert not (home.status() or {})["config_problem"]

"""Edits of the config take effect in what runs."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.conftest import FAKE_LIBRARIES
from tests.daemon.conftest import Home, alive, eventually, stub


def state_of(home: Home, alias: str) -> dict[str, Any]:
    status = home.status()
    assert status
    found = status["servers"].get(alias, {})
    return dict(found)


def test_only_what_changed_is_restarted_and_what_was_removed_is_gone(home: Home) -> None:
    servers = {"kept": stub(), "changed": stub(), "removed": stub()}
    home.configure(servers, exposure="all")
    host = home.host().initialize()
    eventually(lambda: len(host.tools()) >= 18)
    pids = {alias: int(host.call(f"{alias}__pid")) for alias in servers}
    home.configure({"kept": stub(), "changed": stub("changes"), "added": stub()}, exposure="all")
    host.wait_note("notifications/tools/list_changed")
    eventually(lambda: {"added__pid", "changed__clock"} <= set(host.tools()))
    assert "removed__pid" not in host.tools()
    assert int(host.call("kept__pid")) == pids["kept"]
    assert int(host.call("changed__pid")) != pids["changed"]
    eventually(lambda: not alive(pids["removed"]) and not alive(pids["changed"]))


def test_a_broken_edit_keeps_the_last_good_config_and_says_why(home: Home) -> None:
    host = home.host().initialize()
    host.call("stub__echo")
    home.config.write_text('{"mcpServers": {"stub": {"comand": "x"}}}', encoding="utf-8")
    problem = eventually(lambda: (home.status() or {})["config_problem"])
    assert "stub" in problem
    assert "search_tools" in host.tools()
    host.call("stub__echo")
    told = home.run("status")
    assert "not in effect" in told.stderr
    doctor = home.run("doctor", "--no-connect", "--json")
    assert "serves by the config before the last edit" in doctor.stdout
    assert "stays in effect" in home.run("logs").stdout
    home.configure({"stub": stub()})
    eventually(lambda: not (home.status() or {})["config_problem"])


def test_add_and_remove_apply_at_once(home: Home) -> None:
    home.configure({"stub": stub()}, exposure="all")
    host = home.host().initialize()
    eventually(lambda: "stub__echo" in host.tools())
    more = stub()
    done = home.run("add", "more", "--", more["command"], *more["args"])
    assert done.returncode == 0, done.stderr
    eventually(lambda: "more__echo" in host.tools())
    assert home.run("remove", "more").returncode == 0
    eventually(lambda: "more__echo" not in host.tools())


def test_a_server_switched_off_and_on_again_needs_no_restart(home: Home) -> None:
    host = home.host().initialize()
    pid = int(host.call("stub__pid"))
    home.configure({"stub": stub(disabled=True)})
    eventually(lambda: state_of(home, "stub")["state"] == "disabled")
    eventually(lambda: not alive(pid))
    home.configure({"stub": stub()})
    eventually(lambda: state_of(home, "stub")["state"] != "disabled")
    assert int(host.call("stub__pid")) != pid


def test_rules_apply_without_a_restart(home: Home) -> None:
    home.configure({"stub": stub()}, exposure="all")
    host = home.host().initialize()
    pid = int(host.call("stub__pid"))
    home.configure({"stub": stub()}, exposure="all", servers={"stub": {"deny": ["echo"]}})
    eventually(lambda: "stub__echo" not in host.tools())
    assert int(host.call("stub__pid")) == pid


def test_in_process_serving_follows_the_config_too(home: Home) -> None:
    host = home.host("--no-daemon", "--exposure", "all").initialize()
    eventually(lambda: "stub__echo" in host.tools())
    home.configure({"stub": stub(), "more": stub()})
    eventually(lambda: "more__echo" in host.tools())


def test_restart_starts_one_server_anew_for_everybody(home: Home) -> None:
    home.configure({"stub": stub(), "other": stub()})
    host = home.host().initialize()
    stub_pid, other_pid = int(host.call("stub__pid")), int(host.call("other__pid"))
    done = home.run("restart", "stub")
    assert done.returncode == 0, done.stderr
    assert int(host.call("stub__pid")) != stub_pid
    assert int(host.call("other__pid")) == other_pid
    assert "Did you mean" in home.run("restart", "stup").stderr


def test_list_tells_known_from_running(home: Home) -> None:
    home.configure({"stub": stub(), "asleep": stub()})
    host = home.host().initialize()
    host.call("stub__pid")
    found = home.run("list", "--json")
    assert '"state": "running"' in found.stdout, found.stderr


@pytest.mark.parametrize("words", [("stop",), ("status",), ("restart", "stub"), ("logs",)])
def test_commands_say_when_no_daemon_runs(home: Home, words: tuple[str, ...]) -> None:
    done = home.run(*words)
    assert done.returncode == (1 if words == ("status",) else 0)
    assert "No daemon runs" in done.stderr or "Nothing was logged" in done.stderr


def test_logs_follows_what_is_logged(home: Home) -> None:
    host = home.host().initialize()
    host.call("stub__echo")
    done = home.run("logs", "--json", "-n", "1000")
    assert " serves " in done.stdout


def test_a_reranker_comes_and_goes_without_a_restart(home: Home) -> None:
    home.environ["PYTHONPATH"] = os.pathsep.join([str(FAKE_LIBRARIES), home.environ.get("PYTHONPATH", "")])
    all_hits = {"min_score": 0}
    home.configure({"stub": stub()}, search=all_hits)
    host = home.host().initialize()

    def found() -> list[str]:
        return host.search("which number has the process", limit=20).splitlines()

    plain = eventually(lambda: lines if "stub__pid" in "".join(lines := found()) else [])
    home.configure({"stub": stub()}, search=all_hits, reranker="short-first")
    reranked = eventually(lambda: lines if (lines := found()) != plain else [])
    assert sorted(reranked) == sorted(plain)
    home.configure({"stub": stub()}, search=all_hits, reranker="missing-model")
    eventually(lambda: "The order is that of the first stage" in "".join(found()))
    assert "searching without a reranker" in home.run("logs").stdout
    home.configure({"stub": stub()}, search=all_hits)
    eventually(lambda: found() == plain)

"""One daemon for all hosts: real processes."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import sys
from pathlib import Path

import pytest

from tests.daemon.conftest import PATIENCE_S, ROOT, Home, alive, eventually, stub
from toolrouter import __version__
from toolrouter.cli.checks import _daemon
from toolrouter.daemon.joining import ask
from toolrouter.daemon.place import FileLock
from toolrouter.settings_file import load_settings

ASKER = ROOT / "tests" / "upstreams_stub" / "asker.py"


def test_two_hosts_of_different_eras_share_one_daemon_and_its_servers(home: Home) -> None:
    first, second = home.host().initialize(), home.host().modern()
    assert "search_tools" in first.tools()
    assert "search_tools" in second.tools()
    assert second.ask("server/discover")["supportedVersions"] == ["2026-07-28"]
    assert first.call("stub__pid") == second.call("stub__pid")
    status = home.status()
    assert status
    assert [host["name"] for host in status["hosts"]] == ["handshake-host 1", "modern-host 1"]
    assert status["servers"]["stub"]["state"] == "running"
    assert first.leave() == 0
    assert "search_tools" in second.tools()


def test_ten_hosts_at_once_start_one_daemon(home: Home) -> None:
    hosts = [home.host() for _ in range(10)]
    for host in hosts:
        host.initialize()
    pids = {host.call("stub__pid") for host in hosts}
    assert len(pids) == 1
    status = home.status()
    assert status
    assert len(status["hosts"]) == 10
    log = (home.state / "logs" / "toolrouter.log").read_text(encoding="utf-8")
    assert log.count(" serves ") == 1


def test_hits_become_tools_of_one_connection_alone(home: Home) -> None:
    home.configure({"stub": stub()}, exposure="dynamic")
    asking, other = home.host().initialize(), home.host().initialize()
    before = other.tools()
    asking.search("stub__pid")
    asking.wait_note("notifications/tools/list_changed")
    assert "stub__pid" in asking.tools()
    assert other.tools() == before
    assert "stub__pid" not in before
    result = asking.ask("tools/call", {"name": "stub__pid", "arguments": {}})
    assert int(result["content"][0]["text"]) == int(other.call("stub__pid"))


def test_a_host_that_is_killed_takes_nothing_with_it(home: Home) -> None:
    first, second = home.host().initialize(), home.host().initialize()
    server = int(first.call("stub__pid"))
    first.process.kill()
    eventually(lambda: len((home.status() or {"hosts": [0, 0]})["hosts"]) == 1)
    assert int(second.call("stub__pid")) == server


def test_the_daemon_leaves_when_its_hosts_have(home: Home) -> None:
    home.environ["TOOLROUTER_IDLE_EXIT_S"] = "0.2"
    host = home.host().initialize()
    daemon, server = home.daemon(), int(host.call("stub__pid"))
    host.leave()
    eventually(lambda: not alive(daemon) and not alive(server))
    assert home.place.read_record() is None


def test_the_daemon_leaves_when_its_home_is_gone(home: Home) -> None:
    home.host().initialize().leave()
    daemon = home.daemon()
    shutil.rmtree(home.state)
    eventually(lambda: not alive(daemon))


def test_sigterm_ends_daemon_and_servers_in_order(home: Home) -> None:
    host = home.host().initialize()
    daemon, server = home.daemon(), int(host.call("stub__pid"))
    os.kill(daemon, signal.SIGTERM)
    eventually(lambda: not alive(daemon) and not alive(server))


def test_what_lets_hosts_in_is_for_the_owner_alone(home: Home) -> None:
    home.host().initialize()
    record = eventually(home.place.read_record)
    paths = [Path(home.place.record_path), Path(home.place.folder), Path(str(record["address"]))]
    modes = [stat.S_IMODE(path.stat().st_mode) for path in paths]
    assert modes == [0o600, 0o700, 0o600]


def test_a_port_of_this_machine_serves_where_sockets_do_not(home: Home) -> None:
    home.environ["TOOLROUTER_SOCKET"] = "tcp"
    assert "search_tools" in home.host().initialize().tools()
    assert isinstance(eventually(home.place.read_record)["address"], int)
    assert "search_tools" in home.host().initialize().tools()


def test_without_the_daemon_a_host_has_servers_of_its_own(home: Home) -> None:
    first, second = home.host("--no-daemon").initialize(), home.host("--no-daemon").initialize()
    assert first.call("stub__pid") != second.call("stub__pid")
    assert home.status() is None


def test_each_host_may_be_shown_something_else(home: Home) -> None:
    every, few = home.host("--exposure", "all").initialize(), home.host().initialize()
    assert "stub__echo" in every.tools()
    assert "stub__echo" not in few.tools()


def test_a_daemon_whose_config_is_gone_is_still_found_and_stopped(home: Home) -> None:
    home.host().initialize()
    daemon = home.daemon()
    home.config.unlink()
    assert str(daemon) in home.run("status").stderr
    assert f"process {daemon}" in home.run("stop").stderr
    eventually(lambda: not alive(daemon))
    missing = home.run("status")
    assert missing.returncode == 1
    assert "--config" in missing.stderr


def test_a_config_that_cannot_be_used_is_said_and_nothing_runs(home: Home) -> None:
    home.config.write_text("{", encoding="utf-8")
    host = home.host()
    assert host.leave() == 1
    assert host.process.stderr
    assert b"line 1" in host.process.stderr.read()
    assert home.status() is None


def test_a_daemon_that_cannot_leave_its_record_says_why_and_the_host_is_served_all_the_same(home: Home) -> None:
    Path(home.place.record_path, "in-the-way").mkdir(parents=True)
    host = home.host().initialize()
    assert "search_tools" in host.tools()
    host.leave()
    assert host.process.stderr
    said = host.process.stderr.read().decode()
    assert "serving in this process: the daemon could not start: " in said
    assert "Traceback" not in said


def test_a_daemon_of_an_older_version_is_replaced(home: Home) -> None:
    old = home.folder / "old"
    shutil.copytree("toolrouter", old / "toolrouter", ignore=shutil.ignore_patterns("__pycache__", "data"))
    shutil.copytree("toolrouter/data", old / "toolrouter" / "data")
    (old / "toolrouter" / "__init__.py").write_text('__version__ = "0.0.9"\n', encoding="utf-8")
    new, home.environ["PYTHONPATH"] = home.environ.get("PYTHONPATH", ""), str(old)
    early = home.host_in(old).initialize("early")
    first = home.daemon()
    assert (home.status() or {})["version"] == "0.0.9"
    early.search("echo")  # whoever comes while it still loads may find it too busy to answer, and serve by itself
    home.environ["PYTHONPATH"] = new
    late = home.host().initialize("late")
    assert "search_tools" in late.tools()
    assert (home.status() or {})["version"] == __version__
    # The host of the older connector goes on with the newer daemon, and does not replace it in turn.
    assert "search_tools" in early.tools()
    assert home.daemon() != first
    assert (home.status() or {})["version"] == __version__
    eventually(lambda: not alive(first))


@pytest.mark.skipif(os.name != "posix", reason="sockets are files on POSIX")
def test_a_daemon_that_is_slow_to_leave_takes_nothing_from_its_successor(home: Home) -> None:
    busy = home.host().initialize()
    first = home.daemon()
    busy.start_call("stub__slow", {"steps": 200, "each_s": 0.2})
    eventually(lambda: (home.status() or {"servers": {}})["servers"].get("stub", {}).get("state") == "running")
    address = Path(str(eventually(home.place.read_record)["address"]))
    ask(home.place, "stop")
    successors = FileLock(home.place.life_lock)
    assert successors.acquire(PATIENCE_S)
    assert alive(first)
    assert not address.exists(), "it would remove the next one's, which has the same name"
    successors.release()


def test_the_servers_of_one_config_are_not_those_of_another(home: Home) -> None:
    home.host().initialize()
    first = home.daemon()
    home.config = home.folder / "other.json"
    home.configure({"other": stub()})
    assert "other__echo" in home.host("--exposure", "all").initialize().tools()
    assert home.daemon() != first


def test_what_is_known_is_answered_while_no_server_runs(home: Home) -> None:
    assert home.run("index").returncode == 0
    host = home.host("--exposure", "all").initialize()
    assert "stub__echo" in host.tools()
    assert "stub__echo" in host.search("echo")
    status = home.status()
    assert status
    assert [(each["state"], each["pid"]) for each in status["servers"].values()] == [("sleeping", None)]


def test_long_lines_pass_in_both_directions(home: Home) -> None:
    home.configure({"stub": stub()}, results={"max_tokens": 10_000_000})
    host = home.host().initialize()
    text = "x" * 3_000_000
    assert text in host.call("stub__echo", {"text": text})
    assert len(host.call("stub__big", {"size": 60_000})) >= 60_000


def test_the_person_is_told_of_questions_that_were_refused_and_how_to_allow_them(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.configure({"shy": {"command": sys.executable, "args": ["-I", "-S", str(ASKER)]}}, exposure="all")
    host = home.host().initialize()
    assert "allow_asking" in host.call("shy__ask")
    allow = 'toolrouter.servers.shy.allow_asking = ["elicitation"]'
    assert allow in home.run("list").stderr.replace("\n", " ")
    monkeypatch.setenv("TOOLROUTER_HOME", str(home.state))
    found = {finding.subject: finding for finding in _daemon(load_settings(home.config))}
    assert found["shy"].outcome == "warning"
    assert found["shy"].fix.endswith(allow)

"""The daemon dies under its hosts: they notice a failed call at most."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from tests.daemon.conftest import Home, alive, eventually, stub
from toolrouter.daemon.conversation import GOODBYE, Conversation


def kill_daemon(home: Home) -> int:
    pid = home.daemon()
    os.kill(pid, signal.SIGKILL)
    return pid


def test_hosts_of_both_eras_go_on_when_the_daemon_is_killed(home: Home) -> None:
    old, new = home.host().initialize(), home.host().modern()
    assert "search_tools" in new.tools()
    server = int(old.call("stub__pid"))
    first = kill_daemon(home)
    assert "search_tools" in old.tools()
    assert "search_tools" in new.tools()
    assert home.daemon() != first
    assert int(old.call("stub__pid")) != server
    eventually(lambda: not alive(server))
    assert (old.leave(), new.leave()) == (0, 0)


def test_a_call_under_way_fails_in_words_and_is_not_repeated(home: Home) -> None:
    host = home.host().initialize()
    host.call("stub__echo")
    arguments = {"name": "stub__slow", "arguments": {"steps": 200, "each_s": 0.2}}
    params = {"name": "call_tool", "arguments": arguments, "_meta": {"progressToken": "p"}}
    number = host.send("tools/call", params)
    host.wait_note("notifications/progress")
    kill_daemon(home)
    error = host.answer(number)["error"]
    assert "restarted while the call of call_tool was under way" in error["message"]
    assert "search_tools" in host.tools()


def test_what_changes_nothing_is_asked_again_without_the_host_knowing(home: Home) -> None:
    host = home.host().initialize()
    pid = home.daemon()
    os.kill(pid, signal.SIGSTOP)
    listing = host.send("tools/list")
    searching = host.send("tools/call", {"name": "search_tools", "arguments": {"query": "echo"}})
    os.kill(pid, signal.SIGKILL)
    assert "result" in host.answer(listing)
    assert "result" in host.answer(searching)


def test_a_subscription_goes_on_with_the_next_daemon(home: Home) -> None:
    home.configure({"stub": stub()}, exposure="all")
    host = home.host().modern()
    host.tools()
    number = host.send("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    host.wait_note("notifications/subscriptions/acknowledged")
    kill_daemon(home)
    assert "stub__echo" in host.tools()
    home.configure({"stub": stub(), "more": stub()}, exposure="all")
    told = host.wait_note("notifications/tools/list_changed")
    assert told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == number
    assert not [note for note in host.notes if note["method"].endswith("acknowledged")]
    eventually(lambda: "more__echo" in host.tools())


def wait_gone(*pids: int) -> None:
    eventually(lambda: not any(map(alive, pids)))


def test_whoever_is_killed_in_whatever_order_nothing_is_left(home: Home) -> None:
    home.environ["TOOLROUTER_IDLE_EXIT_S"] = "0.2"
    for order in (("connector", "daemon"), ("daemon", "connector")):
        host = home.host().initialize()
        server, processes = int(host.call("stub__pid")), {"connector": host.process.pid, "daemon": home.daemon()}
        for name in order:
            os.kill(processes[name], signal.SIGKILL)
        host.process.wait()
        wait_gone(server, *processes.values())
        if record := home.place.read_record():
            home.seen.add(int(str(record["pid"])))


def test_a_stopped_daemon_stays_away_until_a_host_wants_something(home: Home) -> None:
    host = home.host().initialize()
    server, pid = int(host.call("stub__pid")), home.daemon()
    done = home.run("stop")
    assert done.returncode == 0, done.stderr
    assert not alive(pid)
    assert not alive(server)
    assert home.status() is None
    assert home.run("status").returncode == 1
    assert "search_tools" in host.tools()
    assert home.daemon() != pid


def test_while_no_daemon_can_be_had_requests_are_refused_with_the_reason(home: Home) -> None:
    host = home.host().initialize()
    good = home.config.read_text(encoding="utf-8")
    eventually(home.place.read_left)
    pid = home.daemon()
    os.kill(pid, signal.SIGSTOP)
    home.config.write_text("{", encoding="utf-8")
    Path(home.place.left_path).unlink()
    os.kill(pid, signal.SIGKILL)
    error = host.answer(host.send("tools/list"))["error"]
    assert "line 1" in error["message"]
    home.config.write_text(good, encoding="utf-8")
    eventually(lambda: "result" in host.answer(host.send("tools/list")))


def line(message: dict[str, object]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":")).encode() + b"\n"


def send(conversation: Conversation, message: dict[str, object]) -> None:
    for request in conversation.from_host(line(message)):
        request.sent = True


def test_the_successor_is_told_what_a_session_holds_to_the_end() -> None:
    talk = Conversation()
    send(talk, {"id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25"}})
    assert talk.to_host(line({"id": 1, "result": {}}))
    send(talk, {"method": "notifications/initialized"})
    send(talk, {"id": 2, "method": "logging/setLevel", "params": {"level": "debug"}})
    send(talk, {"id": 3, "method": "resources/subscribe", "params": {"uri": "a:1"}})
    send(talk, {"id": 4, "method": "resources/subscribe", "params": {"uri": "a:2"}})
    send(talk, {"id": 5, "method": "resources/unsubscribe", "params": {"uri": "a:1"}})
    for number in (2, 3, 4, 5):
        talk.to_host(line({"id": number, "result": {}}))
    to_daemon, to_host = talk.resume()
    said = [json.loads(each) for each in to_daemon]
    assert [each["method"] for each in said] == [
        "initialize",
        "notifications/initialized",
        "logging/setLevel",
        "resources/subscribe",
    ]
    assert said[-1]["params"] == {"uri": "a:2"}
    assert to_host == []
    assert not talk.to_host(line({"id": said[0]["id"], "result": {}}))


def test_questions_of_the_dead_daemon_are_withdrawn_and_ids_go_on() -> None:
    talk = Conversation()
    assert talk.to_host(line({"id": 7, "method": "roots/list"}))
    assert talk.to_host(line({"id": 8, "method": "sampling/createMessage", "params": {}}))
    talk.from_host(line({"id": 7, "result": {"roots": []}}))
    _, to_host = talk.resume()
    withdrawn = [json.loads(each) for each in to_host]
    assert [(each["method"], each["params"]["requestId"]) for each in withdrawn] == [("notifications/cancelled", 8)]
    assert talk.highest_id == 8


def test_a_request_that_kills_two_daemons_is_not_given_to_a_third() -> None:
    talk = Conversation()
    send(talk, {"id": "a", "method": "tools/list"})
    assert len(talk.resume()[0]) == 1
    to_daemon, to_host = talk.resume()
    assert to_daemon == []
    assert json.loads(to_host[0])["error"]["code"] == -32000


def test_cancelled_requests_and_answered_ones_of_a_batch_are_not_repeated() -> None:
    talk = Conversation()
    batch = [{"jsonrpc": "2.0", "id": number, "method": "tools/list"} for number in (1, 2, 3)]
    for request in talk.from_host(json.dumps(batch).encode() + b"\n"):
        request.sent = True
    talk.to_host(line({"id": 1, "result": {"tools": []}}))
    talk.from_host(line({"method": "notifications/cancelled", "params": {"requestId": 2}}))
    assert [json.loads(each)["id"] for each in talk.resume()[0]] == [3]


def test_the_goodbye_is_not_for_the_host() -> None:
    talk = Conversation()
    assert not talk.to_host(GOODBYE)
    assert talk.stopped


def test_a_successor_that_would_list_other_tools_is_announced_to_the_host() -> None:
    talk = Conversation()
    send(talk, {"id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25"}})
    talk.to_host(line({"id": 1, "result": {}}))
    send(talk, {"id": 2, "method": "tools/list"})
    assert talk.to_host(line({"id": 2, "result": {"tools": [1]}}))
    for tools, told in (([1], b""), ([2], line({"method": "notifications/tools/list_changed"}))):
        asked = [json.loads(each) for each in talk.resume()[0]][-1]
        assert asked["method"] == "tools/list"
        assert talk.to_host(line({"id": asked["id"], "result": {"tools": tools}})) == told

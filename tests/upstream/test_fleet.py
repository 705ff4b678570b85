from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest

from tests.upstream.stubs import STUB, fleet_of, stub
from toolrouter.config import Ask, ServerOptions, UpstreamSpec
from toolrouter.errors import NotFound, RpcError, UpstreamError, UpstreamTimeout
from toolrouter.types import JsonObject, Server, ServerState
from toolrouter.upstream import lister, negotiate
from toolrouter.upstream.connect import launch_hash
from toolrouter.upstream.connection import ReverseHandlers
from toolrouter.upstream.patience import FIRST_S, LONGEST_FOR_CALLS_S, LONGEST_S, Patience
from toolrouter.wire.caller import CALLER, Caller
from toolrouter.wire.jsonrpc import Inbound

pytestmark = pytest.mark.anyio


async def test_nothing_starts_by_itself_and_the_first_call_starts_it() -> None:
    async with fleet_of({"a": stub(), "b": stub()}) as watched:
        assert watched.fleet.state("a").state is ServerState.NEW
        assert not watched.states
        pid = int(await watched.call("a", "pid"))
        assert watched.fleet.state("a").state is ServerState.RUNNING
        assert watched.fleet.state("a").pid == pid
        assert watched.fleet.state("b").state is ServerState.NEW
        assert [state for _, state, _ in watched.states] == [ServerState.STARTING, ServerState.RUNNING]


async def test_concurrent_first_calls_share_one_start() -> None:
    async with fleet_of({"a": stub("sleep=0.2")}) as watched:
        pids: set[str] = set()

        async def call() -> None:
            pids.add(await watched.call("a", "pid"))

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(call)
        assert len(pids) == 1


async def test_calls_beyond_the_bounds_of_a_server_wait_or_are_refused_at_once() -> None:
    options = {"a": ServerOptions(max_in_flight=2)}
    async with fleet_of({"a": stub(), "b": stub()}, options=options, max_waiting=3) as watched:
        keeper = watched.fleet._keepers["a"]
        await watched.call("a", "pid")
        outcomes: list[str] = []
        most = 0

        async def call() -> None:
            nonlocal most
            try:
                await watched.call("a", "slow", steps=1, each_s=0.1)
                outcomes.append("done")
            except UpstreamError as error:
                most = max(most, keeper._run.connection.in_flight)  # type: ignore[union-attr]
                outcomes.append("refused" if "too many calls wait for it; this one was not sent" in str(error) else "")

        async with anyio.create_task_group() as tasks:
            for _ in range(12):
                tasks.start_soon(call)
            await watched.call("b", "pid")
        assert outcomes[:7] == ["refused"] * 7
        assert outcomes[7:] == ["done"] * 5
        assert most <= 2


async def test_a_start_is_listed_before_its_first_call_is_sent() -> None:
    order: list[str] = []
    async with fleet_of({"a": stub()}) as watched:
        await watched.fleet.request(
            "a", "tools/call", {"name": "echo"}, before_send=lambda: order.append(f"{len(watched.listings)} listed")
        )
    assert order == ["1 listed"]


async def test_a_call_that_may_no_longer_be_made_is_not_sent() -> None:
    def withdrawn() -> None:
        raise RpcError(-32602, "withdrawn")

    async with fleet_of({"a": stub()}) as watched:
        with pytest.raises(RpcError, match="withdrawn"):
            await watched.fleet.request("a", "tools/call", {"name": "count"}, before_send=withdrawn)
        assert await watched.call("a", "count") == "1"


async def test_bad_upstreams_delay_nobody_and_say_why() -> None:
    servers = {
        "hang": stub("hang"),
        "exit": stub("exit"),
        "missing": UpstreamSpec(command="no-such-program-anywhere"),
        "rejects": stub("reject-list"),
        "good": stub(),
        "later": stub("noise"),
    }
    async with fleet_of(servers, parallel_starts=2, connect_timeout_s=3, stop_timeout_s=0.5) as watched:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watched.fleet.refresh, list(servers))
            await watched.wait_until(lambda: {"good", "later"} <= {it.server.alias for it in watched.listings})
            assert watched.fleet.state("hang").state is ServerState.STARTING
        for alias, words in [
            ("hang", "did not answer within 3 s"),
            ("exit", "API_TOKEN is not set"),
            ("missing", "not found on PATH"),
        ]:
            assert watched.fleet.state(alias).state is ServerState.FAILED
            assert words in watched.fleet.state(alias).error
        assert watched.fleet.state("rejects").state is ServerState.RUNNING
        assert "a remote feature is away" in watched.fleet.state("rejects").error
        assert await watched.call("rejects", "echo")
        assert len(watched.listings) == 2


async def test_a_failing_upstream_is_left_alone_for_a_while() -> None:
    async with fleet_of({"a": stub("exit")}) as watched:
        with pytest.raises(UpstreamError, match="API_TOKEN"):
            await watched.call("a", "echo")
        started = len(watched.states)
        with pytest.raises(UpstreamError, match=r"API_TOKEN.*\n?.*next attempt in 1 s"):
            await watched.call("a", "echo")
        assert len(watched.states) == started


@dataclass(frozen=True)
class Known:
    """A host that can be asked for its folders; satisfies `wire.caller.Caller`."""

    host: str
    modern: bool = False
    lasting: bool = True
    capabilities: JsonObject = field(default_factory=lambda: {"roots": {}}, compare=False)

    def check(self, method: str, params: JsonObject) -> None:
        raise NotImplementedError

    async def ask(self, method: str, params: JsonObject) -> JsonObject:
        raise NotImplementedError

    async def tell(self, method: str, params: JsonObject) -> None:
        raise NotImplementedError


def owned(_alias: str, caller: Caller | None) -> ReverseHandlers:
    return ReverseHandlers(caller.capabilities if caller else {}, owner=caller.host if caller else None)


ASKS = {"a": ServerOptions(allow_asking=(Ask.ROOTS,))}


async def test_a_server_that_failed_for_one_host_is_left_alone_by_all_and_each_is_told_why() -> None:
    async with fleet_of({"a": stub("exit")}, options=ASKS, reverse=owned) as watched:
        for host, words in (("ada", "API_TOKEN is not set"), ("bob", r"(?s)API_TOKEN is not set.*next attempt in")):
            CALLER.set(Known(host))
            with pytest.raises(UpstreamError, match=words):
                await watched.call("a", "echo")


async def test_a_connection_of_one_host_is_stopped_when_idle_and_started_for_its_next_request() -> None:
    async with fleet_of({"a": stub()}, options=ASKS, reverse=owned, idle_stop_s=0.1) as watched:
        CALLER.set(Known("ada"))
        pid = await watched.call("a", "pid")
        [own] = watched.fleet._owns
        assert own.keeper._run is not None
        await own.keeper._run.done.wait()
        assert watched.fleet.host_connections("a") == 0
        assert await watched.call("a", "pid") != pid
        assert watched.fleet.state("a").state is ServerState.NEW  # the shared one was never needed
        await watched.fleet.set_level("error")


async def test_a_connection_gives_way_only_when_no_updates_are_waited_for_on_it() -> None:
    asker = UpstreamSpec(command=sys.executable, args=("-I", "-S", str(STUB.with_name("asker.py"))))
    async with fleet_of({"a": asker}, options=ASKS, reverse=owned, max_host_connections=1) as watched:
        served = anyio.Event()

        async def call_as_bob() -> None:
            CALLER.set(Known("bob"))
            await watched.call("a", "touch")
            served.set()

        CALLER.set(Known("ada"))
        stop_watching = await watched.fleet.watch("a", "note://a")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call_as_bob)
            await watched.call("a", "touch")
            assert ([own.host for own in watched.fleet._owns], served.is_set()) == (["ada"], False)
            await stop_watching()
        assert [own.host for own in watched.fleet._owns] == ["bob"]


async def test_a_crash_fails_its_call_unrepeated_and_the_next_call_starts_anew() -> None:
    async with fleet_of({"a": stub()}) as watched:
        first = await watched.call("a", "pid")
        with pytest.raises(UpstreamError, match=r"exited with code 9; its last output:\nfatal: the disk is on fire"):
            await watched.call("a", "die")
        assert await watched.call("a", "pid") != first
        assert await watched.call("a", "count") == "2"


async def test_a_server_killed_between_calls_is_started_again() -> None:
    async with fleet_of({"a": stub()}) as watched:
        first = int(await watched.call("a", "pid"))
        os.kill(first, signal.SIGKILL)
        await watched.wait_until(lambda: watched.fleet.state("a").state is ServerState.FAILED)
        assert "signal 9" in watched.fleet.state("a").error
        assert int(await watched.call("a", "pid")) != first


async def test_an_idle_server_is_stopped_and_sleeps() -> None:
    async with fleet_of({"a": stub()}, idle_stop_s=0.1) as watched:
        first = await watched.call("a", "pid")
        await watched.wait_until(lambda: watched.fleet.state("a").state is ServerState.SLEEPING)
        assert watched.fleet.state("a").pid is None
        assert await watched.call("a", "pid") != first


async def test_a_busy_server_is_not_idle_and_a_kept_one_is_never_stopped() -> None:
    options = {"kept": ServerOptions(keep_running=True)}
    async with fleet_of({"busy": stub(), "kept": stub()}, options=options, idle_stop_s=0.1) as watched:
        kept = await watched.call("kept", "pid")
        await watched.call("busy", "slow", steps=4, each_s=0.1)
        await watched.wait_until(lambda: watched.fleet.state("busy").state is ServerState.SLEEPING)
        assert await watched.call("kept", "pid") == kept


async def test_changes_are_listed_once_however_often_they_are_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lister, "INTERVAL_S", 0.1)
    async with fleet_of({"a": stub()}) as watched:
        await watched.fleet.request("a", "stub/change", {"times": 50})
        await watched.wait_until(lambda: len(watched.listings) == 2)
        with anyio.move_on_after(0.5):
            await watched.wait_until(lambda: len(watched.listings) > 2)
        assert len(watched.listings) == 2


async def test_a_server_that_keeps_changing_is_listed_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("INTERVAL_S", 0.05), ("COALESCE_S", 0.01), ("CREDIT", 3.0), ("EARNED_S", 60.0)):
        monkeypatch.setattr(lister, name, value)
    async with fleet_of({"a": stub()}) as watched:
        for listed in (2, 3, 4):
            await watched.fleet.request("a", "stub/change", {"times": 1})
            await watched.wait_until(lambda: len(watched.listings) == listed)  # noqa: B023 - called at once
        await watched.fleet.request("a", "stub/change", {"times": 1})
        with anyio.move_on_after(0.3):
            await watched.wait_until(lambda: len(watched.listings) > 4)
        assert len(watched.listings) == 4


async def test_changes_of_a_new_era_server_are_heard_by_subscription(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lister, "INTERVAL_S", 0.1)
    async with fleet_of({"a": stub("modern")}) as watched:
        await watched.call("a", "echo")
        await watched.fleet.request("a", "stub/change", {"times": 3})
        await watched.wait_until(lambda: len(watched.listings) == 2)


async def test_a_listing_whose_promise_ran_out_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lister, "INTERVAL_S", 0.05)
    monkeypatch.setattr(lister, "MIN_FRESH_S", 0.1)
    async with fleet_of({"a": stub("modern", "ttl=20")}) as watched:
        await watched.call("a", "echo")
        assert watched.of("a").server.ttl_s == 0.02
        await watched.wait_until(lambda: len(watched.listings) == 2)


async def test_a_definition_that_differs_at_each_start_arrives_at_each_start() -> None:
    async with fleet_of({"a": stub("changes")}, idle_stop_s=0.1) as watched:
        await watched.call("a", "echo")
        await watched.wait_until(lambda: watched.fleet.state("a").state is ServerState.SLEEPING)
        await watched.call("a", "echo")
        first, second = watched.listings
        assert first.tools[-1] != second.tools[-1]
        assert first.tools[:-1] == second.tools[:-1]


async def test_refresh_lists_a_running_upstream_again() -> None:
    async with fleet_of({"a": stub()}) as watched:
        await watched.fleet.refresh(["a"])
        assert len(watched.listings) == 1
        await watched.fleet.refresh(["a"])
        assert len(watched.listings) == 2


async def test_what_is_due_follows_from_what_is_known() -> None:
    spec = stub()
    fresh = Server("x", listed_at=4e9, launch_hash=launch_hash(spec), protocol_version="2025-11-25")
    known = {
        "fresh": fresh,
        "old": Server("old", listed_at=1.0, launch_hash=launch_hash(spec)),
        "other": Server("other", listed_at=4e9, launch_hash="another launch"),
    }
    servers = {"fresh": spec, "old": spec, "other": spec, "new": spec, "off": stub(disabled=True)}
    async with fleet_of(servers, known=known) as watched:
        assert watched.fleet.due() == ["old", "other", "new"]
        assert watched.fleet.state("fresh").state is ServerState.SLEEPING
        assert watched.fleet.state("off").state is ServerState.DISABLED
        with pytest.raises(UpstreamError, match="off is disabled"):
            await watched.call("off", "echo")
        await watched.fleet.refresh(watched.fleet.due())
        assert not watched.fleet.due()


async def test_an_unknown_alias_names_its_neighbour() -> None:
    async with fleet_of({"github": stub()}) as watched:
        with pytest.raises(NotFound) as caught:
            await watched.call("gihtub", "echo")
        assert caught.value.near == ("github",)


async def test_a_call_over_its_time_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(negotiate, "PROBE_S", 0.1)
    options = {"a": ServerOptions(call_timeout_s=0.2)}
    async with fleet_of({"a": stub("ignore-unknown")}, options=options) as watched:
        with pytest.raises(UpstreamTimeout, match=r"a did not answer no/such within 0\.2 s"):
            await watched.fleet.request("a", "no/such", None)
        assert watched.fleet.state("a").state is ServerState.RUNNING
        assert await watched.call("a", "echo")


async def test_progress_reaches_the_caller_as_it_was_sent() -> None:
    heard: list[JsonObject] = []

    async def on_progress(params: JsonObject) -> None:
        heard.append(params)

    async with fleet_of({"a": stub()}) as watched:
        await watched.fleet.request("a", "tools/call", {"name": "slow"}, on_progress=on_progress)
    assert [(params["progress"], params["x-extra"]) for params in heard] == [(1, "kept"), (2, "kept"), (3, "kept")]


async def test_questions_and_notices_of_an_upstream_reach_its_handlers() -> None:
    asked: list[str] = []
    noticed = anyio.Event()

    def handlers(alias: str, _caller: Caller | None) -> ReverseHandlers:
        async def on_request(method: str, _params: JsonObject, _inbound: Inbound) -> JsonObject:
            asked.append(f"{alias} {method}")
            return {}

        async def on_notification(method: str, _params: JsonObject) -> None:
            if method == "notifications/tools/list_changed":
                noticed.set()

        return ReverseHandlers({"roots": {}}, on_request, on_notification)

    async with fleet_of({"a": stub("ask")}, reverse=handlers) as watched:
        await watched.fleet.request("a", "stub/answers", {})
        await watched.fleet.request("a", "stub/change", {"times": 1})
        await noticed.wait()
    assert asked == ["a roots/list", "a log"]


async def test_a_listing_that_cannot_be_stored_costs_no_call(caplog: pytest.LogCaptureFixture) -> None:
    async with fleet_of({"a": stub()}) as watched:

        async def broken(_listing: object) -> None:
            raise OSError("disk full")

        watched.on_listing = broken  # type: ignore[method-assign]
        assert await watched.call("a", "echo")


async def test_leaving_the_fleet_stops_everything(tmp_path: Path) -> None:
    async with fleet_of({name: stub() for name in "abcdef"}) as watched:
        pids = [int(await watched.call(name, "pid")) for name in "abcdef"]
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with pytest.raises(UpstreamError, match="toolrouter is not running"):
        await watched.call("a", "echo")


async def test_patience_grows_with_failures_and_forgives_one_crash() -> None:
    patience = Patience()
    assert patience.wait_s() == 0
    patience.ended("it fell over", stable=True)
    assert patience.wait_s() == 0
    patience.ended("it fell over", stable=False)
    assert 0.7 * FIRST_S < patience.wait_s() <= 1.2 * FIRST_S
    waits: list[float] = []
    for _ in range(16):
        patience.failed("it fell over")
        waits.append(patience.wait_s())
    assert waits[0] < waits[2] < waits[4]
    assert LONGEST_FOR_CALLS_S < waits[-1] <= 1.2 * LONGEST_S
    assert patience.wait_s(LONGEST_FOR_CALLS_S) <= LONGEST_FOR_CALLS_S
    patience.reset()
    assert patience.wait_s() == 0

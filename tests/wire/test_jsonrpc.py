from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from toolrouter.errors import RpcError, UpstreamError, UpstreamTimeout
from toolrouter.types import JsonObject
from toolrouter.wire import waiter
from toolrouter.wire.jsonrpc import Inbound, Peer
from toolrouter.wire.lines import LineFault, read_messages

pytestmark = pytest.mark.anyio


async def refuse(method: str, _params: JsonObject, _inbound: Inbound) -> JsonObject:
    raise RpcError(-32601, f"no {method}", {"why": "test"})


async def ignore(_method: str, _params: JsonObject) -> None:
    return


class Wire:
    """Our peer, and the other side as a test drives it: what it reads and what it says."""

    def __init__(self, **handlers: Any) -> None:
        self._say, incoming = anyio.create_memory_object_stream[JsonObject | LineFault](100)
        self._outgoing, self._heard = anyio.create_memory_object_stream[JsonObject](100)
        self.faults: list[LineFault] = []
        self.peer = Peer(
            "stub",
            incoming,
            self._outgoing.send,
            on_request=handlers.get("on_request", refuse),
            on_notification=handlers.get("on_notification", ignore),
            on_fault=self.faults.append,
        )
        self._ends = [self._say, incoming, self._outgoing, self._heard]

    async def hear(self) -> JsonObject:
        return await self._heard.receive()

    async def say(self, **message: Any) -> None:
        await self._say.send({"jsonrpc": "2.0", **message})

    async def say_raw(self, item: LineFault) -> None:
        await self._say.send(item)

    def hang_up(self) -> None:
        self._say.close()

    def close(self) -> None:
        for end in self._ends:
            end.close()

    @property
    def unheard(self) -> int:
        return self._heard.statistics().current_buffer_used


@asynccontextmanager
async def wired(linger_s: float = 0, **handlers: Any) -> AsyncIterator[Wire]:
    with anyio.fail_after(120):
        wire = Wire(**handlers)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: wire.peer.run(linger_s=linger_s))
            yield wire
            tasks.cancel_scope.cancel()
        wire.close()


class Call:
    """A request running in the background."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self.outcome: Any = None
        self.done = anyio.Event()
        self.scope = anyio.CancelScope()

    async def run(self) -> None:
        with self.scope:
            try:
                self.outcome = await self._call()
            except Exception as error:  # noqa: BLE001  the outcome is what the test looks at
                self.outcome = error
        self.done.set()


async def test_a_request_gets_the_raw_result() -> None:
    async with wired() as wire, anyio.create_task_group() as tasks:
        call = Call(lambda: wire.peer.request("m", {"a": 1}, timeout_s=60))
        tasks.start_soon(call.run)
        assert await wire.hear() == {"jsonrpc": "2.0", "id": 1, "method": "m", "params": {"a": 1}}
        await wire.say(id=99, result={"not": "ours"})
        await wire.say(id=1, result={"x-unknown": {"kept": None}})
        await call.done.wait()
        assert call.outcome == {"x-unknown": {"kept": None}}


@pytest.mark.parametrize(
    ("head", "tail"),
    [('{"jsonrpc":"2.0","id":1,"result":{"a":"', '"}}'), ('{"result": {"a": "', '"}, "id": "1", "jsonrpc": "2.0"}')],
)
@pytest.mark.parametrize("inside", ["x" * 5_000, '", "b": ' + "[" * 900])
async def test_an_answer_that_cannot_be_read_ends_its_request_at_once(head: str, tail: str, inside: str) -> None:
    line = (head + inside + tail).encode()
    faults = [each async for each in read_messages(_chunks(line), 4_000)]
    assert [isinstance(each, LineFault) and each.answers for each in faults] == [1]
    async with wired() as wire, anyio.create_task_group() as tasks:
        call = Call(lambda: wire.peer.request("m", {}, timeout_s=600))
        tasks.start_soon(call.run)
        await wire.hear()
        await wire.say_raw(LineFault("too long", answers=7))
        await wire.say_raw(faults[0])
        await call.done.wait()
        assert "its answer cannot be read" in str(call.outcome)


@pytest.mark.parametrize(
    "line",
    [
        'DEBUG received {"jsonrpc":"2.0","method":"tools/call","params":{},"id":1}',
        '{"id":1,"jsonrpc":"2.0","method":"sampling/createMessage","params":{"a":"%s"}}' % ("x" * 5_000),
        '{"jsonrpc":"2.0","method":"sampling/createMessage","params":{"a":"%s"},"id":1}' % ("x" * 5_000),
        '{"level":"info","tool":"echo", "id": 1}}',
    ],
)
async def test_what_only_holds_the_id_of_a_request_does_not_answer_it(line: str) -> None:
    (fault,) = [each async for each in read_messages(_chunks(line.encode()), 4_000)]
    assert isinstance(fault, LineFault)
    assert fault.answers is None


def _chunks(line: bytes) -> Callable[[], Any]:
    pieces = [line[at : at + 1_000] for at in range(0, len(line), 1_000)]

    async def receive() -> bytes:
        return pieces.pop(0) if pieces else b""

    return receive


async def test_an_answer_counts_once_and_only_where_it_was_asked_for() -> None:
    async with wired() as wire, wired() as other, anyio.create_task_group() as tasks:
        call = Call(lambda: wire.peer.request("m", {}, timeout_s=60))
        tasks.start_soon(call.run)
        asked = (await wire.hear())["id"]
        await other.say(id=asked, result={"forged": "on another connection"})
        for wrong in (asked + 1, -asked, 0, [asked], {"id": asked}, None, True, f" {asked}", float(asked) + 0.5):
            await wire.say(id=wrong, result={"forged": repr(wrong)})
        await wire.say(id=asked, result={"n": 1})
        await wire.say(id=asked, result={"forged": "twice"})
        await call.done.wait()
        assert call.outcome == {"n": 1}
        again = Call(lambda: wire.peer.request("m", {}, timeout_s=60))
        tasks.start_soon(again.run)
        following = (await wire.hear())["id"]
        assert following != asked
        await wire.say(id=asked, result={"forged": "later"})
        await wire.say(id=following, result={"n": 2})
        await again.done.wait()
        assert again.outcome == {"n": 2}


async def test_answers_may_come_in_any_order_and_with_ids_turned_into_text() -> None:
    async with wired() as wire, anyio.create_task_group() as tasks:
        calls = [Call(lambda n=n: wire.peer.request("m", {"n": n}, timeout_s=60)) for n in range(20)]
        for call in calls:
            tasks.start_soon(call.run)
        asked = [await wire.hear() for _ in calls]
        for request in reversed(asked):
            await wire.say(id=str(request["id"]), result={"n": request["params"]["n"]})
        for number, call in enumerate(calls):
            await call.done.wait()
            assert call.outcome == {"n": number}


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        ({"code": -32602, "message": "bad", "data": [1]}, -32602, "bad"),
        ({"message": 5}, -32603, "5"),
        ("oops", -32603, "oops"),
        ({"code": True}, -32603, "unknown error"),
    ],
)
async def test_an_error_answer_raises_whatever_its_form(error: Any, code: int, message: str) -> None:
    async with wired() as wire, anyio.create_task_group() as tasks:
        call = Call(lambda: wire.peer.request("m", None, timeout_s=60))
        tasks.start_soon(call.run)
        await wire.hear()
        await wire.say(id=1, error=error)
        await call.done.wait()
        assert isinstance(call.outcome, RpcError)
        assert (call.outcome.code, call.outcome.message) == (code, message)


async def test_an_unanswered_request_times_out_and_the_peer_is_told() -> None:
    async with wired() as wire:
        with pytest.raises(UpstreamTimeout, match=r"stub did not answer tools/call within 0\.05 s"):
            await wire.peer.request("tools/call", None, timeout_s=0.05)
        assert (await wire.hear())["method"] == "tools/call"
        told = await wire.hear()
        assert told["method"] == "notifications/cancelled"
        assert told["params"] == {"requestId": 1, "reason": "time limit reached"}


async def test_the_handshake_is_never_cancelled() -> None:
    async with wired() as wire:
        with pytest.raises(UpstreamTimeout):
            await wire.peer.request("initialize", None, timeout_s=0.05)
        await wire.hear()
        assert wire.unheard == 0


async def test_cancelling_the_caller_tells_the_peer() -> None:
    async with wired() as wire, anyio.create_task_group() as tasks:
        call = Call(lambda: wire.peer.request("m", None, timeout_s=60))
        tasks.start_soon(call.run)
        await wire.hear()
        call.scope.cancel()
        assert (await wire.hear())["params"] == {"requestId": 1, "reason": "cancelled by the caller"}
        assert wire.peer.in_flight == 0


async def test_progress_restarts_the_clock_and_comes_in_order_before_the_result() -> None:
    heard: list[JsonObject] = []

    async def on_progress(params: JsonObject) -> None:
        await anyio.lowlevel.checkpoint()
        heard.append(params)

    async with wired() as wire, anyio.create_task_group() as tasks:
        call = Call(
            lambda: wire.peer.request(
                "m", {"_meta": {"progressToken": "theirs", "k": 1}}, timeout_s=0.5, on_progress=on_progress
            )
        )
        tasks.start_soon(call.run)
        sent = await wire.hear()
        assert sent["params"]["_meta"] == {"progressToken": 1, "k": 1}
        for step in range(4):
            with anyio.move_on_after(0.2):
                await call.done.wait()
            await wire.say(method="notifications/progress", params={"progressToken": 1, "progress": step, "x": "kept"})
        await wire.say(id=1, result={"ok": True})
        await call.done.wait()
        assert call.outcome == {"ok": True}
        assert [params["progress"] for params in heard] == [0, 1, 2, 3]
        assert heard[0]["x"] == "kept"


async def test_progress_cannot_keep_a_request_alive_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiter, "MAX_EXTENSIONS", 3)
    async with wired() as wire, anyio.create_task_group() as tasks:
        call = Call(lambda: wire.peer.request("m", None, timeout_s=0.1))
        tasks.start_soon(call.run)
        started = anyio.current_time()
        while not call.done.is_set():
            await wire.say(method="notifications/progress", params={"progressToken": 1, "progress": 1})
            with anyio.move_on_after(0.02):
                await call.done.wait()
        assert isinstance(call.outcome, UpstreamTimeout)
        assert 0.25 < anyio.current_time() - started < 30


async def test_a_foreign_progress_token_is_not_passed_on() -> None:
    async with wired() as wire, anyio.create_task_group() as tasks:
        params = {"_meta": {"progressToken": "host", "trace": "t"}, "name": "n"}
        tasks.start_soon(Call(lambda: wire.peer.request("m", params, timeout_s=60)).run)
        assert (await wire.hear())["params"] == {"_meta": {"trace": "t"}, "name": "n"}
        assert params["_meta"] == {"progressToken": "host", "trace": "t"}
        tasks.cancel_scope.cancel()


async def test_the_end_of_the_messages_fails_every_waiter() -> None:
    async with wired() as wire, anyio.create_task_group() as tasks:
        calls = [Call(lambda: wire.peer.request("m", None, timeout_s=60)) for _ in range(3)]
        for call in calls:
            tasks.start_soon(call.run)
            await wire.hear()
        wire.hang_up()
        for call in calls:
            await call.done.wait()
            assert isinstance(call.outcome, UpstreamError)
            assert not isinstance(call.outcome, UpstreamTimeout)
        with pytest.raises(UpstreamError, match="the connection closed"):
            await wire.peer.request("m", None, timeout_s=60)
        await wire.peer.notify("n")


async def test_inbound_requests_run_concurrently_and_are_answered_under_their_ids() -> None:
    turn = anyio.Event()

    async def on_request(method: str, params: JsonObject, inbound: Inbound) -> JsonObject:
        if method == "first":
            await turn.wait()
        turn.set()
        await inbound.progress({"progress": 1})
        return {"method": method, "params": params}

    async with wired(on_request=on_request) as wire:
        await wire.say(id="a", method="first", params={"_meta": {"progressToken": "tok"}})
        await wire.say(id=2, method="second", params=["not", "an", "object"])
        assert await wire.hear() == {"jsonrpc": "2.0", "id": 2, "result": {"method": "second", "params": {}}}
        assert (await wire.hear())["params"] == {"progress": 1, "progressToken": "tok"}
        assert (await wire.hear())["id"] == "a"


async def test_a_cancelled_inbound_request_is_never_answered() -> None:
    started, ended = anyio.Event(), anyio.Event()

    async def on_request(method: str, _params: JsonObject, _inbound: Inbound) -> JsonObject:
        if method == "quick":
            return {}
        started.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    async with wired(on_request=on_request) as wire:
        await wire.say(id=5, method="slow")
        await started.wait()
        await wire.say(method="notifications/cancelled", params={"requestId": 5})
        await ended.wait()
        await wire.say(id=6, method="quick")
        assert (await wire.hear())["id"] == 6


async def test_a_handler_that_breaks_answers_in_our_words(caplog: pytest.LogCaptureFixture) -> None:
    async def on_request(_method: str, _params: JsonObject, _inbound: Inbound) -> JsonObject:
        raise ZeroDivisionError("secret detail")

    async with wired(on_request=on_request) as wire:
        await wire.say(id=1, method="m")
        answer = await wire.hear()
    assert answer["error"] == {"code": -32603, "message": "m failed inside toolrouter; see its log"}
    assert "secret detail" in caplog.text


async def test_a_refusal_is_answered_with_its_code_and_data() -> None:
    async with wired() as wire:
        await wire.say(id=1, method="m")
        assert (await wire.hear())["error"] == {"code": -32601, "message": "no m", "data": {"why": "test"}}


async def test_notifications_are_handled_in_order_and_a_failing_one_costs_nothing() -> None:
    seen: list[int] = []
    last = anyio.Event()

    async def on_notification(_method: str, params: JsonObject) -> None:
        await anyio.lowlevel.checkpoint()
        seen.append(params["n"])
        if params["n"] == 1:
            raise ValueError
        if params["n"] == 9:
            last.set()

    async with wired(on_notification=on_notification) as wire:
        for number in range(10):
            await wire.say(method="notifications/x", params={"n": number})
        await last.wait()
    assert seen == list(range(10))


async def test_faults_are_reported_and_strange_messages_are_survived() -> None:
    async with wired() as wire:
        await wire.say_raw(LineFault("noise"))
        await wire.say(id=None, method="m")
        await wire.say(id=1.5, method="m")
        await wire.say(id=[1], result={})
        await wire.say(id=True, error={})
        await wire.say(method="notifications/cancelled", params={"requestId": [1]})
        await wire.say(method="notifications/progress", params={"progressToken": {}})
        await wire.say(id=3, method="m")
        assert (await wire.hear())["id"] == 3
        assert len(wire.faults) == 3


async def test_what_is_being_handled_when_the_messages_end_may_still_be_answered() -> None:
    go = anyio.Event()

    async def on_request(_method: str, _params: JsonObject, _inbound: Inbound) -> JsonObject:
        await go.wait()
        return {"late": True}

    async with wired(on_request=on_request, linger_s=5) as wire:
        await wire.say(id=1, method="m")
        wire.hang_up()
        await wire.peer.ended.wait()
        go.set()
        assert (await wire.hear())["result"] == {"late": True}

"""Calls of new-era hosts that wait at an older server for an answer of the host.

A server of the handshake era asks by a request in the middle of a call and keeps the call open. A host of 2026-07-28
is asked by the result of its call, which it then repeats with the answers. So the call to the server goes on in a task
of its own: the host gets the questions and a token, and whoever brings the token back takes the call up again. What
nobody comes back for ends after `limits.parked_s`, and at most `limits.max_parked` calls wait at a time.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Protocol

import anyio
from anyio.abc import TaskGroup, TaskStatus

from toolrouter.config import Limits
from toolrouter.errors import RpcError
from toolrouter.ports import OnProgress
from toolrouter.server.protocol import INVALID_PARAMS, INVALID_REQUEST, RETRY_KEYS
from toolrouter.types import JsonObject
from toolrouter.wire.caller import CALLER, Caller

STATE_PREFIX = "toolrouter-parked:"


class Sends(Protocol):
    async def request(
        self,
        alias: str,
        method: str,
        params: JsonObject | None,
        *,
        timeout_s: float | None = None,
        on_progress: OnProgress | None = None,
        before_send: Callable[[], None] | None = None,
    ) -> JsonObject: ...


class Parking:
    """All calls that may have to wait. Without `run`, questions are refused as before."""

    def __init__(self, limits: Callable[[], Limits]) -> None:
        self._limits = limits
        self._tasks: TaskGroup | None = None
        self._parked: dict[str, _Call] = {}

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Owns the calls until cancelled."""
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                task_status.started()
                await anyio.sleep_forever()
        finally:
            self._tasks = None

    async def request(
        self,
        fleet: Sends,
        alias: str,
        method: str,
        params: JsonObject,
        *,
        on_progress: OnProgress | None = None,
        before_send: Callable[[], None] | None = None,
    ) -> JsonObject:
        """`fleet.request`, whose result may also be the server's questions. Raises what that raises."""
        caller = CALLER.get()
        token = params.get("requestState")
        if caller is not None and isinstance(token, str) and token.startswith(STATE_PREFIX):
            call = self._take_up(token, alias, method, params)
            call.take_answers(params.get("inputResponses"))
        elif caller is None or not caller.modern or self._tasks is None:
            return await fleet.request(alias, method, params, on_progress=on_progress, before_send=before_send)
        else:
            call = _Call(self, _fingerprint(alias, method, params), caller)

            async def send() -> JsonObject:
                return await fleet.request(alias, method, params, on_progress=call.progress, before_send=before_send)

            self._tasks.start_soon(call.run, send)
        return await self._served(call, caller, on_progress)

    def holds(self, result: JsonObject) -> bool:
        """Whether a result is ours, with the questions of a call that waits."""
        state = result.get("requestState")
        return isinstance(state, str) and state in self._parked

    def may_park(self) -> bool:
        return len(self._parked) < self._limits().max_parked

    async def _served(self, call: _Call, caller: Caller, on_progress: OnProgress | None) -> JsonObject:
        """Until the call has ended or asks something; whoever gives up meanwhile ends it."""
        try:
            questions = await call.serve(caller, on_progress)
        except BaseException:
            call.scope.cancel()
            raise
        if not questions:
            return call.outcome()
        token = STATE_PREFIX + secrets.token_urlsafe(24)
        self._parked[token] = call
        if self._tasks is not None:
            self._tasks.start_soon(self._expire, token, call)
        return {"resultType": "input_required", "inputRequests": questions, "requestState": token}

    def _take_up(self, token: str, alias: str, method: str, params: JsonObject) -> _Call:
        call = self._parked.get(token)
        if call is None or call.fingerprint != _fingerprint(alias, method, params):
            raise RpcError(INVALID_PARAMS, "Invalid params: no call waits for this requestState; call again without it")
        del self._parked[token]
        return call

    async def _expire(self, token: str, call: _Call) -> None:
        with anyio.move_on_after(self._limits().parked_s):
            await call.taken_up()
        if self._parked.pop(token, None) is not None:
            call.scope.cancel()


class _Call:
    """One call under way at a server, and the host that waits for it at the moment; satisfies `wire.caller.Caller`."""

    modern = True

    def __init__(self, parking: Parking, fingerprint: str, first: Caller) -> None:
        """`first`: the request that began it; those that take it up again are the same host's."""
        self.fingerprint = fingerprint
        self.host, self.lasting, self.capabilities = first.host, first.lasting, first.capabilities
        self.scope = anyio.CancelScope()
        self._parking = parking
        self._caller: Caller | None = None
        self._on_progress: OnProgress | None = None
        self._questions: dict[str, JsonObject] = {}
        self._answers: dict[str, JsonObject] = {}
        self._asked = 0
        self._ended = False
        self._result: JsonObject | None = None
        self._error: Exception | None = None
        self._news = anyio.Event()
        self._answered = anyio.Event()

    async def run(self, send: Callable[[], Awaitable[JsonObject]]) -> None:
        CALLER.set(self)
        try:
            with self.scope:
                self._result = await send()
        except Exception as error:  # noqa: BLE001 - handed to the host that waits
            self._error = error
        finally:
            self._ended = True
            self._news.set()

    async def serve(self, caller: Caller, on_progress: OnProgress | None) -> dict[str, JsonObject]:
        """The questions that are open, once there are any; none when the call has ended."""
        self._caller, self._on_progress = caller, on_progress
        try:
            while not self._ended and not self._questions:
                self._news = anyio.Event()
                await self._news.wait()
        finally:
            self._caller, self._on_progress = None, None
        return {} if self._ended else dict(self._questions)

    def outcome(self) -> JsonObject:
        if self._error is not None:
            raise self._error
        if self._result is None:
            raise RpcError(INVALID_REQUEST, "The call was given up: nobody came back with the answers in time")
        return self._result

    def take_answers(self, given: object) -> None:
        """Hands the host's answers to those who asked; what it left out stays asked."""
        answers = given if isinstance(given, dict) else {}
        for key in [key for key in self._questions if isinstance(answers.get(key), dict)]:
            del self._questions[key]
            self._answers[key] = answers[key]
        self._wake_askers()

    async def taken_up(self) -> None:
        await self._answered.wait()

    async def ask(self, method: str, params: JsonObject) -> JsonObject:
        """Puts a question of the server among those that the host gets. Raises RpcError."""
        if self._caller is not None:
            self._caller.check(method, params)
        if not self._parking.may_park():
            raise RpcError(INVALID_REQUEST, f"toolrouter cannot pass on {method}: too many calls wait for their hosts")
        self._asked += 1
        key = f"question_{self._asked}"
        self._questions[key] = {"method": method, "params": params}
        self._news.set()
        while key not in self._answers:
            await self._answered.wait()
        return self._answers.pop(key)

    async def tell(self, method: str, params: JsonObject) -> None:
        if self._caller is not None:
            await self._caller.tell(method, params)

    async def progress(self, params: JsonObject) -> None:
        if self._on_progress is not None:
            await self._on_progress(params)

    def check(self, method: str, params: JsonObject) -> None:
        """A call within a call does not exist."""

    def _wake_askers(self) -> None:
        answered, self._answered = self._answered, anyio.Event()
        answered.set()


def _fingerprint(alias: str, method: str, params: JsonObject) -> str:
    """What a repeated call has in common with the first one: all but what the host adds to it."""
    same = {key: value for key, value in params.items() if key not in (*RETRY_KEYS, "_meta")}
    return hashlib.sha256(json.dumps([alias, method, same], sort_keys=True).encode()).hexdigest()

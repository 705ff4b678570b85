"""One end of a JSON-RPC connection: requests both ways, progress, cancellation, time limits.

Messages are the dictionaries that travel. A `Peer` owns no stream: it iterates what comes in and calls `send` for what
goes out, so stdio, HTTP and memory look alike to it. Nothing is repeated: a request is sent at most once.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
from anyio.abc import TaskGroup, TaskStatus

from toolrouter.errors import RpcError, UpstreamError, UpstreamTimeout
from toolrouter.types import JsonObject
from toolrouter.wire.caller import Caller, Sourced
from toolrouter.wire.lines import LineFault
from toolrouter.wire.waiter import ASKING_S, OnProgress, Waiter, contained

logger = logging.getLogger(__name__)

METHOD_NOT_FOUND = -32601
INTERNAL_ERROR = -32603

NEVER_CANCELLED = frozenset({"initialize", "server/discover"})
MAX_HANDLED = 20_000
"""Requests of the other side that are handled at once; more are dropped."""

COURTESY_S = 1.0
"""How long telling the peer about a cancelled request may hold up the canceller."""

OF_A_REQUEST = frozenset({"notifications/message"})
"""Notifications that belong to a request of ours when there is one: they arrive before its result."""

MAX_QUEUED_NOTIFICATIONS = 1024
"""What a slow receiver may leave unread; beyond it the newest are dropped."""

RequestId = str | int


class Inbound:
    """One request of the other side while it is being handled."""

    __slots__ = ("_scope", "_waiters", "cancelled", "id", "meta", "peer")

    def __init__(self, peer: Peer, request_id: RequestId, params: JsonObject, waiters: list[Waiter]) -> None:
        self.peer = peer
        self.id = request_id
        self._waiters = waiters
        meta = params.get("_meta")
        self.meta: JsonObject = meta if isinstance(meta, dict) else {}
        self.cancelled = False
        self._scope = anyio.CancelScope()

    @property
    def callers(self) -> list[Caller]:
        """For whom the requests of ours that may have caused this one were sent, the latest first."""
        return [waiter.caller for waiter in reversed(self._waiters) if waiter.caller is not None]

    async def notify(self, method: str, params: JsonObject | None = None) -> None:
        """Sends a notification that belongs to this request."""
        await self.peer.notify(method, params, of=self.id)

    async def ask(self, method: str, params: JsonObject) -> JsonObject:
        """Asks the other side something while its request is being handled."""
        return await self.peer.request(method, params, timeout_s=ASKING_S, of=self.id)

    async def progress(self, params: JsonObject) -> None:
        """Reports progress under the token the other side gave; does nothing when it gave none."""
        token = self.meta.get("progressToken")
        if isinstance(token, str | int):
            await self.notify("notifications/progress", {**params, "progressToken": token})

    def cancel(self) -> None:
        self.cancelled = True
        self._scope.cancel()


Handler = Callable[[str, JsonObject, Inbound], Awaitable[JsonObject]]
"""Answers a request: `(method, params, inbound) -> result`. Raises RpcError to answer with an error."""

NotificationHandler = Callable[[str, JsonObject], Awaitable[None]]


class Peer:
    """Our end of a connection; satisfies `ports.Link`. `name` is what errors call the other side."""

    def __init__(
        self,
        name: str,
        messages: AsyncIterator[JsonObject | LineFault],
        send: Callable[[JsonObject], Awaitable[None]],
        *,
        on_request: Handler,
        on_notification: NotificationHandler,
        on_fault: Callable[[LineFault], None] | None = None,
    ) -> None:
        self.name = name
        self._messages = messages
        self._send = send
        self._on_request = on_request
        self._on_notification = on_notification
        self._on_fault = on_fault
        self._waiting: dict[RequestId, Waiter] = {}
        self._handling: dict[RequestId, Inbound] = {}
        self._next_id = 0
        self.end_reason = ""
        """Why the connection ended; empty while it is open."""
        self.ended = anyio.Event()
        self._scope: anyio.CancelScope | None = None
        self._idle = anyio.Event()
        self._notifications, self._unread = anyio.create_memory_object_stream[tuple[str, JsonObject]](
            MAX_QUEUED_NOTIFICATIONS
        )

    async def run(self, *, linger_s: float = 0, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Serves the connection until its messages end; then every waiting request fails with UpstreamError.

        Requests that are being handled at that moment have `linger_s` left to be answered.
        """
        try:
            async with anyio.create_task_group() as tasks:
                self._scope = tasks.cancel_scope
                tasks.start_soon(self._hand_on_notifications)
                task_status.started()
                async for message in self._messages:
                    self._dispatch(message, tasks)
                self._end("the connection closed")
                await self._linger(linger_s)
                tasks.cancel_scope.cancel()
        finally:
            self._end("the connection closed")
            self._notifications.close()
            self._unread.close()

    def close(self, reason: str) -> None:
        """Ends `run` and fails every waiting request with `reason`."""
        self._end(reason)
        if self._scope is not None:
            self._scope.cancel()

    def count_from(self, last_id: int) -> None:
        """Ids of our requests come after `last_id`: the other side may still hold some of an earlier connection."""
        self._next_id = last_id

    @property
    def in_flight(self) -> int:
        """Requests of ours that wait for an answer."""
        return len(self._waiting)

    async def request(
        self,
        method: str,
        params: JsonObject | None,
        *,
        timeout_s: float,
        on_progress: OnProgress | None = None,
        of: RequestId | None = None,
    ) -> JsonObject:
        """The raw result. See `ports.Link.request`. `of`: the other side's request on whose behalf it is sent."""
        if self.end_reason:
            raise UpstreamError(self.name, f"{self.name}: {self.end_reason}")
        self._next_id += 1
        request_id = self._next_id
        message: JsonObject = {"jsonrpc": "2.0", "id": request_id, "method": method}
        if (prepared := _with_progress_token(params, request_id if on_progress else None)) is not None:
            message["params"] = prepared
        waiter = self._waiting[request_id] = Waiter(timeout_s, on_progress)
        try:
            with waiter.scope:
                try:
                    await self._deliver(message if of is None else Sourced(message, of))
                except UpstreamError as error:
                    waiter.settle({}, error)
                await waiter.wait()
        finally:
            del self._waiting[request_id]
            if not waiter.settled and method not in NEVER_CANCELLED:
                await self._tell_cancelled(request_id, timed_out=waiter.scope.cancelled_caught)
        if not waiter.settled:
            raise UpstreamTimeout(self.name, f"{self.name} did not answer {method} within {timeout_s:g} s")
        if waiter.error is not None:
            raise waiter.error
        return waiter.result

    async def notify(self, method: str, params: JsonObject | None = None, *, of: RequestId | None = None) -> None:
        """Sends a notification, of a request of the other side where `of` names one; a closed connection drops it."""
        message: JsonObject = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            message["params"] = params
        await self._try_to_send(message if of is None else Sourced(message, of))

    async def _deliver(self, message: JsonObject) -> None:
        try:
            await self._send(message)
        except (OSError, anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            raise UpstreamError(self.name, f"{self.name}: the connection closed") from error

    async def _try_to_send(self, message: JsonObject) -> None:
        try:
            await self._deliver(message)
        except UpstreamError:
            logger.debug("%s: dropped %s, the connection is closed", self.name, message.get("method", "an answer"))

    async def _answer(self, answer: JsonObject) -> None:
        try:
            await self._try_to_send(answer)
        except (ValueError, TypeError, RecursionError):
            logger.exception("%s: an answer cannot be written as JSON", self.name)
            error = {"code": INTERNAL_ERROR, "message": "The answer cannot be written as JSON"}
            await self._try_to_send({"jsonrpc": "2.0", "id": answer["id"], "error": error})

    async def _tell_cancelled(self, request_id: RequestId, *, timed_out: bool) -> None:
        reason = "time limit reached" if timed_out else "cancelled by the caller"
        with anyio.move_on_after(COURTESY_S, shield=True):
            await self.notify("notifications/cancelled", {"requestId": request_id, "reason": reason})

    def _end(self, reason: str) -> None:
        self.end_reason = self.end_reason or reason
        for waiter in self._waiting.values():
            waiter.settle({}, UpstreamError(self.name, f"{self.name}: {self.end_reason}"))
        self.ended.set()

    def _dispatch(self, message: JsonObject | LineFault, tasks: TaskGroup) -> None:
        if isinstance(message, LineFault):
            self._fault(message)
        elif isinstance(method := message.get("method"), str):
            params = message.get("params")
            params = params if isinstance(params, dict) else {}
            if "id" in message:
                self._take_request(message, params, tasks)
            else:
                self._take_notification(method, params, message)
        else:
            self._take_answer(message)

    def _fault(self, fault: LineFault) -> None:
        logger.debug("%s: %s", self.name, fault)
        if (waiter := self._waiter_of(fault.answers)) is not None:
            waiter.settle({}, UpstreamError(self.name, f"{self.name}: its answer cannot be read: {fault.reason}"))
        if self._on_fault is not None:
            self._on_fault(fault)

    def _take_answer(self, message: JsonObject) -> None:
        waiter = self._waiter_of(message.get("id"))
        if waiter is None:
            logger.debug("%s: answer to no request of ours: id %r", self.name, message.get("id"))
        elif "error" in message:
            waiter.settle({}, _rpc_error(message["error"]))
        elif isinstance(result := message.get("result"), dict):
            waiter.settle(result)
        else:
            waiter.settle({}, UpstreamError(self.name, f"{self.name} answered with a result that is not an object"))

    def _waiter_of(self, request_id: object) -> Waiter | None:
        if isinstance(request_id, str) and request_id.isascii() and request_id.isdigit():
            request_id = int(request_id)  # some servers turn ids into strings
        if isinstance(request_id, bool) or not isinstance(request_id, int):
            return None
        return self._waiting.get(request_id)

    def _waiters_behind(self, message: JsonObject) -> list[Waiter]:
        """The requests of ours, sent for a host, that may have caused a message."""
        if isinstance(message, Sourced):
            waiter = self._waiting.get(message.request_id)
            return [waiter] if waiter is not None and waiter.caller is not None else []
        return [waiter for waiter in self._waiting.values() if waiter.caller is not None]

    def _take_notification(self, method: str, params: JsonObject, message: JsonObject) -> None:
        if method == "notifications/cancelled":
            request_id = params.get("requestId")
            if isinstance(request_id, str | int) and (inbound := self._handling.get(request_id)) is not None:
                inbound.cancel()
        elif method == "notifications/progress":
            if (waiter := self._waiter_of(params.get("progressToken"))) is not None:
                waiter.take_progress(params)
        elif method in OF_A_REQUEST and len(waiters := self._waiters_behind(message)) == 1 and waiters[0].caller:
            waiters[0].take(waiters[0].caller.tell, method, params)
        else:
            try:
                self._notifications.send_nowait((method, params))
            except anyio.WouldBlock:
                self._fault(LineFault(f"notification {method} dropped: they come faster than they are read"))

    async def _hand_on_notifications(self) -> None:
        async for method, params in self._unread:
            await contained(self._on_notification, method, params)

    async def _linger(self, linger_s: float) -> None:
        with anyio.move_on_after(linger_s):
            while self._handling:
                self._idle = anyio.Event()
                await self._idle.wait()

    def _take_request(self, message: JsonObject, params: JsonObject, tasks: TaskGroup) -> None:
        request_id, method = message["id"], message["method"]
        if isinstance(request_id, bool) or not isinstance(request_id, str | int):
            self._fault(LineFault(f"request {method} with an id that is neither a string nor an integer"))
            return
        if len(self._handling) >= MAX_HANDLED:
            self._fault(LineFault(f"request {method} dropped: {MAX_HANDLED:,} others are being handled"))
            return
        inbound = Inbound(self, request_id, params, self._waiters_behind(message))
        self._handling[request_id] = inbound
        tasks.start_soon(self._handle, method, params, inbound)

    async def _handle(self, method: str, params: JsonObject, inbound: Inbound) -> None:
        answer: JsonObject = {"jsonrpc": "2.0", "id": inbound.id}
        for waiter in inbound._waiters:
            waiter.pause()
        try:
            with inbound._scope:
                answer["result"] = await self._on_request(method, params, inbound)
        except RpcError as error:
            answer["error"] = _error_object(error)
        except Exception:  # a call boundary: the peer gets our words, the log the traceback
            logger.exception("%s: request %s could not be handled", self.name, method)
            answer["error"] = {"code": INTERNAL_ERROR, "message": f"{method} failed inside toolrouter; see its log"}
        finally:
            for waiter in inbound._waiters:
                waiter.grant(waiter.timeout_s)
            if self._handling.get(inbound.id) is inbound:
                del self._handling[inbound.id]
        try:
            if not inbound.cancelled:
                await self._answer(answer)
        finally:
            self._idle.set()


def _with_progress_token(params: JsonObject | None, token: RequestId | None) -> JsonObject | None:
    """Puts our token in place of whatever token a caller passes through, copying only what changes."""
    meta = params.get("_meta") if params else None
    if token is None and not (isinstance(meta, dict) and "progressToken" in meta):
        return params
    kept = {key: value for key, value in meta.items() if key != "progressToken"} if isinstance(meta, dict) else {}
    if token is not None:
        kept["progressToken"] = token
    return {**(params or {}), "_meta": kept}


def _rpc_error(error: object) -> RpcError:
    if not isinstance(error, dict):
        return RpcError(INTERNAL_ERROR, str(error) or "unknown error")
    code = error.get("code")
    if isinstance(code, bool) or not isinstance(code, int):
        code = INTERNAL_ERROR
    return RpcError(code, str(error.get("message") or "unknown error"), error.get("data"))


def _error_object(error: RpcError) -> JsonObject:
    found: JsonObject = {"code": error.code, "message": error.message}
    if error.data is not None:
        found["data"] = error.data
    return found

"""One upstream over time: started when needed, listed, kept while used, stopped when idle, retried with patience.

A *run* is one life of the server, owned by one task that opens the connection, serves it and closes it. Callers from
any task share the current run or wait for the one that is starting.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import anyio
from anyio.abc import TaskGroup

from toolrouter.config import Limits, ServerOptions, UpstreamSpec
from toolrouter.errors import RpcError, UpstreamError, UpstreamTimeout
from toolrouter.types import JsonObject, Listing, Server, ServerState
from toolrouter.upstream.connect import connect, launch_hash
from toolrouter.upstream.connection import HANDSHAKE, Connection, NotDelivered, ReverseHandlers
from toolrouter.upstream.known import Known
from toolrouter.upstream.lister import Lister
from toolrouter.upstream.oauth_store import LoginStore
from toolrouter.upstream.patience import LONGEST_FOR_CALLS_S, LONGEST_S, Patience
from toolrouter.upstream.run import IDLE, RECONFIGURED, RESTARTED, Observers, Run, UpstreamStatus
from toolrouter.upstream.standing import ACKNOWLEDGED, Standing
from toolrouter.wire.caller import CALLER
from toolrouter.wire.jsonrpc import NotificationHandler
from toolrouter.wire.waiter import OnProgress

logger = logging.getLogger(__name__)

HEADER_MISMATCH = -32020
STABLE_S = 30.0
"""A run that lived so long was no failed start: the next one needs no patience."""


class Keeper:
    """Keeps one upstream."""

    def __init__(
        self,
        alias: str,
        spec: UpstreamSpec,
        limits: Limits,
        options: ServerOptions,
        observers: Observers,
        *,
        patience: Patience | None = None,
    ) -> None:
        """`patience`: shared by all keepers of one server."""
        self.alias = alias
        self.tasks: TaskGroup | None = None
        self._spec = spec
        self._asks = options.allow_asking
        self._settle_in(limits, options)
        self._turns = anyio.Semaphore(options.max_in_flight or limits.max_in_flight, fast_acquire=True)
        self.patience = patience or Patience()
        self.standing = Standing()
        self._run: Run | None = None
        self._observers = observers
        self._known = Known(alias, launch_hash(spec), observers.on_state, disabled=spec.disabled)

    def remember(self, server: Server) -> None:
        """Takes over what an earlier process learnt."""
        self._known.remember(server)

    def apply(self, spec: UpstreamSpec, limits: Limits, options: ServerOptions) -> None:
        """Goes on by other settings. What runs is stopped only if it would be started differently now."""
        asked, self._asks = self._asks, options.allow_asking
        self._settle_in(limits, options)
        if asked != self._asks:
            # It is told that it may ask when it is started, and may offer other things then.
            self._known.forget_launch()
        elif spec == self._spec:
            if self._run is not None:
                self._run.touched.set()
            return
        self._spec, self._known.launch_hash = spec, launch_hash(spec)
        self.patience.reset()
        self.stop(RECONFIGURED)
        self._known.report(ServerState.DISABLED if spec.disabled else self._known.idle)

    def stop(self, reason: str) -> None:
        """Ends the current run, if there is one; its calls fail with `reason`. A later call starts another one."""
        if self._run is not None:
            self._run.stop(reason)

    def restart(self) -> None:
        """Ends the current run, and forgets past failures."""
        self.patience.reset()
        self.stop(RESTARTED)

    def _settle_in(self, limits: Limits, options: ServerOptions) -> None:
        self._limits = limits.model_copy(
            update={"connect_timeout_s": options.connect_timeout_s} if options.connect_timeout_s else {}
        )
        self._keep_running = options.keep_running
        self._call_timeout_s = options.call_timeout_s or limits.call_timeout_s

    @property
    def status(self) -> UpstreamStatus:
        connection = self._run.connection if self._run is not None else None
        return self._known.status(connection.pid if connection is not None else None)

    @property
    def server(self) -> Server:
        """What is known of it."""
        return self._known.server

    @property
    def is_open(self) -> bool:
        return self._live_connection() is not None

    @property
    def watched(self) -> bool:
        """Whether somebody waits for updates of its resources."""
        return bool(self.standing.watched)

    def is_due(self, now: float) -> bool:
        """Whether its definitions should be fetched (again)."""
        return not self._spec.disabled and self._known.is_due(now, self._limits)

    async def request(
        self,
        method: str,
        params: JsonObject | None,
        *,
        timeout_s: float | None,
        on_progress: OnProgress | None,
        before_send: Callable[[], None] | None,
    ) -> JsonObject:
        """One request, on the current run or a new one. Sent again only if it certainly reached nobody."""
        if self._turns.value == 0 and self._turns.statistics().tasks_waiting >= self._limits.max_waiting:
            raise UpstreamError(self.alias, f"{self.alias}: too many calls wait for it; this one was not sent")
        async with self._turns:
            return await self._request(method, params, timeout_s or self._call_timeout_s, on_progress, before_send)

    async def _request(
        self,
        method: str,
        params: JsonObject | None,
        limit_s: float,
        on_progress: OnProgress | None,
        before_send: Callable[[], None] | None,
    ) -> JsonObject:
        for last_try in (False, True):
            run, connection = await self._connected()
            if before_send is not None:
                before_send()
            with run.used():
                try:
                    return await connection.request(method, params, timeout_s=limit_s, on_progress=on_progress)
                except NotDelivered:
                    if last_try:
                        raise
                except RpcError as error:
                    # Refused before it ran: the headers that mirror arguments follow from definitions not yet seen.
                    if last_try or error.code != HEADER_MISMATCH or run.lister is None:
                        raise
                    await run.lister.list_now()
        raise AssertionError("unreachable")

    async def _connected(self) -> tuple[Run, Connection]:
        run = await self._running()
        if run.connection is None:
            raise run.gone(self.alias)
        return run, run.connection

    async def watch(self, uri: str) -> None:
        """Has updates of a resource announced until `unwatch`, and the server kept running for them."""
        run, connection = await self._connected()
        with run.used():
            await self.standing.watch(uri, connection)

    async def unwatch(self, uri: str) -> None:
        await self.standing.unwatch(uri, self._live_connection())

    async def set_level(self, level: str) -> None:
        await self.standing.set_level(level, self._live_connection())

    async def announce(self, method: str) -> None:
        """Passes on a notification of a host, where it has any meaning: the new era knows none."""
        connection = self._live_connection()
        if connection is not None and not connection.modern and "roots" in connection.capabilities:
            await connection.notify(method)

    def _live_connection(self) -> Connection | None:
        return self._run.live_connection if self._run is not None else None

    async def refresh(self, slots: anyio.Semaphore, slot_s: float) -> None:
        """Lists it, starting it first if need be. Failures end up in `status`, they are not raised."""
        try:
            was_running = self._run is not None and self._run.usable
            if not was_running:
                await self._start_in_turn(slots, slot_s)
            run = await self._running(LONGEST_S)
            if run.lister is not None:
                await (run.lister.list_now() if was_running else run.lister.wait_listed())
        except UpstreamError as error:
            logger.info("%s was not listed: %s", self.alias, error)

    async def _start_in_turn(self, slots: anyio.Semaphore, slot_s: float) -> None:
        # The cap is for the work of starting. One that hangs does no work: it keeps its turn for `slot_s` only.
        async with slots:
            with anyio.move_on_after(slot_s):
                await self._running(LONGEST_S)

    async def _running(self, pause_s: float = LONGEST_FOR_CALLS_S) -> Run:
        """The current run, connected. Raises UpstreamError when there is none and none can be had now.

        After failures a new start waits at most `pause_s`.
        """
        if self._spec.disabled:
            raise UpstreamError(self.alias, f"{self.alias} is disabled in the configuration")
        if self._run is not None and not self._run.usable:
            # Wait for the old process to be gone: many servers lock files or ports.
            await self._run.done.wait()
        run = self._run
        if run is None or run.done.is_set():
            run = self._begin(pause_s)
        await run.settled.wait()
        if run.failure is not None:
            raise run.gone(self.alias)
        return run

    def _begin(self, pause_s: float) -> Run:
        if self.tasks is None:
            raise UpstreamError(self.alias, f"{self.alias} cannot be started: toolrouter is not running")
        self._forgive_after_login()
        if (wait_s := self.patience.wait_s(pause_s)) > 0:
            words = f"{self.patience.reason or self.alias + ' failed'} (next attempt in {wait_s:.0f} s)"
            raise UpstreamError(self.alias, words)
        self._run = run = Run()
        self._known.report(ServerState.STARTING)
        # A run outlives the call that starts it, and serves others: it is nobody's in particular.
        calling = CALLER.set(None)
        try:
            self.tasks.start_soon(self._own, run)
        finally:
            CALLER.reset(calling)
        return run

    def _forgive_after_login(self) -> None:
        """Who has logged in since the last attempt is not made to wait for the next one."""
        if (home := self._observers.home) and self._spec.url:
            self.patience.forgive(LoginStore(home, self.alias, self._spec.url).mark())

    async def _own(self, run: Run) -> None:
        """The owner task of one run."""
        started = anyio.current_time()
        try:
            with run.scope:
                await self._live(run)
            self._ended(run, anyio.current_time() - started)
        except UpstreamError as error:
            self._failed(run, error)
        except Exception as error:  # the supervisor: whatever goes wrong here costs this upstream alone
            logger.exception("%s: its connection failed unexpectedly", self.alias)
            self._failed(run, UpstreamError(self.alias, f"{self.alias}: {error}"))
        finally:
            run.failure = run.failure or UpstreamError(self.alias, f"{self.alias} was stopped")
            run.settled.set()
            run.done.set()

    async def _live(self, run: Run) -> None:
        reverse = self._observers.reverse()
        notified = self._notified(run, reverse.on_notification)
        handlers = ReverseHandlers(reverse.capabilities, reverse.on_request, notified)
        hint = HANDSHAKE if reverse.handshake else self._known.era_hint
        home = self._observers.home
        opened = connect(self.alias, self._spec, self._limits, handlers=handlers, era_hint=hint, home=home)
        async with opened as connection, anyio.create_task_group() as tasks:
            run.connection = connection
            run.last_used = anyio.current_time()
            self._known.era_hint = connection.server.protocol_version
            run.lister = Lister(connection, self._limits, self._known.launch_hash, self._listed, self._known.note)
            # Before it is listed: what changes after the listing is announced.
            tasks.start_soon(self.standing.listen, connection, run.lister.changed)
            tasks.start_soon(run.lister.run)
            # The first listing comes before the first call: what changed since it was approved is seen in time.
            await run.lister.wait_first()
            self._known.report(ServerState.RUNNING, run.lister.error)
            await self.standing.renew(connection)
            await self.standing.wait_heard()
            run.settled.set()
            tasks.start_soon(run.stop_when_idle, self._idle_s, lambda: self.watched)
            await connection.peer.ended.wait()
            tasks.cancel_scope.cancel()
        words = await connection.explain(f"{self.alias}: {connection.peer.end_reason}")
        run.failure = UpstreamError(self.alias, words)

    def _notified(self, run: Run, on_notification: NotificationHandler) -> NotificationHandler:
        async def notified(method: str, params: JsonObject) -> None:
            if method.endswith("/list_changed") and run.lister is not None:
                run.lister.changed()
            if method == ACKNOWLEDGED:
                self.standing.acknowledged()
            await on_notification(method, params)

        return notified

    async def _listed(self, listing: Listing) -> None:
        self._known.server = listing.server
        await self._observers.on_listing(listing)

    def _idle_s(self) -> float | None:
        return None if self._keep_running else self._limits.idle_stop_s

    def _ended(self, run: Run, lived_s: float) -> None:
        if run.stopping:
            if run is self._run and not self._spec.disabled:
                self._known.report(self._known.idle)
            return
        if run.connection is not None and run.connection.peer.end_reason == IDLE:
            self.patience.reset()
            self._known.report(ServerState.SLEEPING)
            return
        self.patience.ended(str(run.failure or ""), stable=lived_s > STABLE_S)
        self._known.report(ServerState.FAILED, str(run.failure or ""))

    def _failed(self, run: Run, error: UpstreamError) -> None:
        run.failure = error
        if run.stopping:
            self._ended(run, 0)
            return
        self.patience.failed(str(error))
        if isinstance(error, UpstreamTimeout) and not self._known.era_hint:
            # It may have choked on the question for the new era without dying of it.
            self._known.era_hint = HANDSHAKE
        self._known.report(ServerState.FAILED, str(error))

"""All upstreams: starts nothing by itself, shares what runs, stops everything in parallel."""

from __future__ import annotations

import difflib
import time
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from functools import partial
from pathlib import Path

import anyio
from anyio.abc import TaskGroup, TaskStatus

from toolrouter.config import Settings, Transport
from toolrouter.errors import NotFound
from toolrouter.types import JsonObject, Listing, Server, ServerState
from toolrouter.upstream.connection import ReverseHandlers
from toolrouter.upstream.keeper import Keeper
from toolrouter.upstream.own import Own, OwnConnections
from toolrouter.upstream.run import RECONFIGURED, REMOVED, Observers, UpstreamStatus
from toolrouter.wire.caller import CALLER, Caller
from toolrouter.wire.waiter import OnProgress

SLOT_S = 5.0
"""How long a starting server counts against `limits.parallel_starts`: one that hangs must not hold up the others."""


def _ignored(_alias: str, _state: ServerState, _error: str) -> None:
    return


class Fleet:
    """Every configured upstream, by alias."""

    def __init__(
        self,
        settings: Settings,
        known: Mapping[str, Server],
        *,
        on_listing: Callable[[Listing], Awaitable[None]],
        on_state: Callable[[str, ServerState, str], None],
        reverse: Callable[[str, Caller | None], ReverseHandlers] | None = None,
        home: Path | None = None,
    ) -> None:
        """`known`: what earlier processes learnt. `home`: where logins are kept; without it none is used.

        `reverse`: who serves what an upstream asks, on a host's own connection or, without a caller, on the shared one;
        nobody if None.
        """
        self._settings = settings
        self._tasks: TaskGroup | None = None
        self._on_listing, self._on_state, self._home = on_listing, on_state, home
        self._reverse = reverse or (lambda _alias, _caller: ReverseHandlers())
        self.check_shown: Callable[[Listing, str, JsonObject], None] = lambda _listing, _method, _params: None
        """Raises NotFound when a request makes use of what a listing of one host's connection shows otherwise than
        the catalog does; nobody does at first."""
        self._level = ""
        self._keepers: dict[str, Keeper] = {}
        self._owns = OwnConnections(self._make_own, lambda: self._settings.router.limits)
        self.apply(settings, known)

    def apply(self, settings: Settings, known: Mapping[str, Server]) -> None:
        """Goes on by other settings: stops what was removed or would be started differently, and nothing else.

        Starts nothing: what is new, or changed, is `due`.
        """
        self._settings = settings
        limits, former = settings.router.limits, self._keepers
        self._keepers = {}
        for alias, spec in settings.servers.items():
            options = settings.options(alias)
            keeper = former.pop(alias, None)
            if keeper is not None:
                keeper.apply(spec, limits, options)
            else:
                observers = Observers(self._on_listing, self._on_state, partial(self._reverse, alias, None), self._home)
                keeper = Keeper(alias, spec, limits, options, observers)
                keeper.tasks = self._tasks
                if alias in known:
                    keeper.remember(known[alias])
            self._keepers[alias] = keeper
        self._apply_to_owns(settings)
        for keeper in former.values():
            keeper.stop(REMOVED)
            keeper.tasks = None

    def _apply_to_owns(self, settings: Settings) -> None:
        for own in self._owns:
            if own.alias not in settings.servers:
                self._owns.end(own, REMOVED)
            elif not self._asks(own.alias):
                self._owns.end(own, RECONFIGURED)
            else:
                own.keeper.apply(settings.servers[own.alias], settings.router.limits, settings.options(own.alias))

    async def restart(self, alias: str) -> UpstreamStatus:
        """Stops it if it runs, starts it and lists it; returns how that went. Raises NotFound."""
        keeper = self._keeper(alias)
        keeper.restart()
        for own in self._owns:
            if own.alias == alias:
                own.keeper.restart()
        await self.refresh([alias])
        return keeper.status

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Owns the task of every running upstream until cancelled; then stops them all, in bounded time."""
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                for keeper in self._keepers.values():
                    keeper.tasks = tasks
                task_status.started()
                await anyio.sleep_forever()
        finally:
            self._tasks = None
            for keeper in self._all():
                keeper.tasks = None

    async def refresh(self, aliases: Collection[str], on_answer: Callable[[str], object] = lambda alias: None) -> None:
        """Starts and lists upstreams, a capped number at a time; returns when each has answered or failed.

        Failures are in `state`. An upstream that failed just now is left alone until its next attempt is due.
        `on_answer` is called with each as soon as it has answered or failed.
        """
        keepers = [self._keeper(alias) for alias in aliases]
        slots = anyio.Semaphore(self._settings.router.limits.parallel_starts)

        async def refresh(keeper: Keeper) -> None:
            await keeper.refresh(slots, SLOT_S)
            on_answer(keeper.alias)

        async with anyio.create_task_group() as tasks:
            for keeper in keepers:
                tasks.start_soon(refresh, keeper)

    async def request(
        self,
        alias: str,
        method: str,
        params: JsonObject | None,
        *,
        timeout_s: float | None = None,
        on_progress: OnProgress | None = None,
        before_send: Callable[[], None] | None = None,
    ) -> JsonObject:
        """The raw result of one request; starts a sleeping upstream first.

        `before_send` is called when the upstream runs and its definitions are known again, just before the request
        goes out; what it raises ends the request unsent.

        Raises:
            RpcError: the upstream answered with an error.
            UpstreamTimeout: it did not answer in time (progress restarts the clock, up to a limit).
            UpstreamError: it cannot be started, or broke off: then the request may have been carried out.
            NotFound: no such upstream.
        """
        keeper, caller = self._keeper(alias), CALLER.get()
        if caller is None or not self._has_own(alias, caller):
            return await keeper.request(
                method, params, timeout_s=timeout_s, on_progress=on_progress, before_send=before_send
            )
        async with self._owns.held(alias, caller) as own:
            check = partial(self._check_own, own, method, params, before_send)
            return await own.keeper.request(
                method, params, timeout_s=timeout_s, on_progress=on_progress, before_send=check
            )

    def leave(self, host: Hashable) -> None:
        """That host is gone for good: its connections end once no call of it goes on."""
        self._owns.leave(host)

    def _make_own(self, alias: str, host: Hashable, caller: Caller) -> Own:
        first, spec = self._keeper(alias), self._settings.servers[alias]
        own = Own(alias, host)
        observers = Observers(own.hear, _ignored, partial(self._reverse, alias, caller), self._home)
        limits, options = self._settings.router.limits, self._settings.options(alias)
        own.keeper = keeper = Keeper(alias, spec, limits, options, observers, patience=first.patience)
        keeper.tasks, keeper.standing.level = first.tasks, self._level
        if spec.transport is Transport.STDIO or not caller.modern:
            # Over HTTP a server of both eras is asked anew, so that a host of 2026-07-28 gets its own.
            keeper.remember(first.server)
        return own

    def _check_own(
        self, own: Own, method: str, params: JsonObject | None, before_send: Callable[[], None] | None
    ) -> None:
        """What is called must be on this connection what the catalog has, which the shared one keeps current."""
        if before_send is not None:
            before_send()
        if own.listing is None:
            return
        try:
            self.check_shown(own.listing, method, params or {})
        except NotFound:
            if self._tasks is not None:
                self._tasks.start_soon(self.refresh, [own.alias])
            raise

    def _has_own(self, alias: str, caller: Caller) -> bool:
        """Who can be asked nothing tells nothing, and is served by the shared connection.

        So is who is known for one request alone, where a connection would cost a process for each request.
        """
        if not caller.lasting and self._settings.servers[alias].transport is Transport.STDIO:
            return False
        return self._asks(alias) and self._reverse(alias, caller).owner is not None

    def _asks(self, alias: str) -> bool:
        return bool(self._settings.options(alias).allow_asking)

    async def watch(self, alias: str, uri: str) -> Callable[[], Awaitable[None]]:
        """Has updates of a resource announced until what it returns is called; starts a sleeping upstream.

        Raises:
            RpcError: the upstream refuses.
            UpstreamError: it cannot be started, or broke off.
        """
        keeper, caller = self._keeper(alias), CALLER.get()
        if caller is None or not caller.lasting or not self._has_own(alias, caller):
            await keeper.watch(uri)
            return partial(keeper.unwatch, uri)
        async with self._owns.held(alias, caller) as own:
            await own.keeper.watch(uri)

        async def unwatch() -> None:
            await own.keeper.unwatch(uri)
            self._owns.tell_freed()

        return unwatch

    async def set_level(self, level: str) -> None:
        """Asks every upstream that runs now or later for log messages from this level on."""
        self._level = level
        async with anyio.create_task_group() as tasks:
            for keeper in self._all():
                tasks.start_soon(keeper.set_level, level)

    async def announce(self, method: str, host: Hashable) -> None:
        """Sends a notification of a host on those connections of its own that were told it may come."""
        for own in self._owns:
            if own.host == host:
                await own.keeper.announce(method)

    def host_connections(self, alias: str) -> int:
        """How many of the connections that hosts have of their own to it are open."""
        return sum(own.alias == alias and own.keeper.is_open for own in self._owns)

    def state(self, alias: str) -> UpstreamStatus:
        """Raises NotFound."""
        return self._keeper(alias).status

    def due(self) -> list[str]:
        """Enabled upstreams whose definitions are unknown, of another launch spec, or too old."""
        now = time.time()
        return [alias for alias, keeper in self._keepers.items() if keeper.is_due(now)]

    def _all(self) -> list[Keeper]:
        return [*self._keepers.values(), *(own.keeper for own in self._owns)]

    def _keeper(self, alias: str) -> Keeper:
        if (keeper := self._keepers.get(alias)) is None:
            near = difflib.get_close_matches(alias, self._keepers, n=3)
            raise NotFound(f"there is no server named {alias!r} in the configuration", near)
        return keeper

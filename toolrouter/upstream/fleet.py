"""All upstreams: starts nothing by itself, shares what runs, stops everything in parallel."""

from __future__ import annotations

import difflib
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
from anyio.abc import TaskGroup, TaskStatus

from toolrouter.config import Settings, Transport
from toolrouter.errors import NotFound
from toolrouter.types import JsonObject, Listing, Server, ServerState
from toolrouter.upstream.connection import HANDSHAKE, MODERN, ReverseHandlers
from toolrouter.upstream.keeper import Keeper
from toolrouter.upstream.run import REMOVED, Observers, UpstreamStatus
from toolrouter.wire.caller import CALLER
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
        reverse: Callable[[str], ReverseHandlers] | None = None,
        home: Path | None = None,
    ) -> None:
        """`known`: what earlier processes learnt. `reverse`: who serves an upstream's own requests; nobody if None.

        `home`: where logins to remote servers are kept; without it none is used.
        """
        self._settings = settings
        self._tasks: TaskGroup | None = None
        self._on_listing, self._on_state, self._reverse, self._home = on_listing, on_state, reverse, home
        self._keepers: dict[str, Keeper] = {}
        self._twins: dict[str, Keeper] = {}
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
                reverse = partial(self._reverse, alias) if self._reverse else ReverseHandlers
                observers = Observers(self._on_listing, self._on_state, reverse, self._home)
                keeper = Keeper(alias, spec, limits, options, observers)
                keeper.tasks = self._tasks
                if alias in known:
                    keeper.remember(known[alias])
            self._keepers[alias] = keeper
        self._apply_to_twins(settings)
        for keeper in former.values():
            keeper.stop(REMOVED)
            keeper.tasks = None

    def _apply_to_twins(self, settings: Settings) -> None:
        former, self._twins = self._twins, {}
        for alias, twin in former.items():
            if alias in settings.servers:
                twin.apply(settings.servers[alias], settings.router.limits, settings.options(alias))
                self._twins[alias] = twin
            else:
                twin.stop(REMOVED)
                twin.tasks = None

    async def restart(self, alias: str) -> UpstreamStatus:
        """Stops it if it runs, starts it and lists it; returns how that went. Raises NotFound."""
        keeper = self._keeper(alias)
        keeper.restart()
        if (twin := self._twins.get(alias)) is not None:
            twin.restart()
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
            for keeper in (*self._keepers.values(), *self._twins.values()):
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
        keeper = self._suited(alias)
        return await keeper.request(
            method, params, timeout_s=timeout_s, on_progress=on_progress, before_send=before_send
        )

    def _suited(self, alias: str) -> Keeper:
        """The keeper for the request of the host that is being handled.

        Servers of both eras ask back in the way of the era that the connection speaks. So where the connection that
        runs is of the other era than the host, a second one of the host's era serves it, if the server knows that era.
        Only over HTTP: a second process would cost memory, and would not know what the first one holds.
        """
        keeper, caller = self._keeper(alias), CALLER.get()
        if caller is None or keeper.modern is None or keeper.modern == caller.modern:
            return keeper
        if self._settings.servers[alias].transport is Transport.STDIO:
            return keeper
        twin = self._twins.get(alias) or self._second(alias, modern=caller.modern)
        # Another answer than the one it was opened for means that the server knows one era only.
        return keeper if twin.modern is keeper.modern else twin

    def _second(self, alias: str, *, modern: bool) -> Keeper:
        first = self._keeper(alias)
        observers = replace(first.observers, on_state=_ignored)
        spec, options = self._settings.servers[alias], self._settings.options(alias)
        era = MODERN if modern else HANDSHAKE
        twin = Keeper(alias, spec, self._settings.router.limits, options, observers, era=era)
        twin.tasks = first.tasks
        self._twins[alias] = twin
        return twin

    async def watch(self, alias: str, uri: str) -> None:
        """Has updates of a resource announced until `unwatch` was called as often; starts a sleeping upstream.

        Raises:
            RpcError: the upstream refuses.
            UpstreamError: it cannot be started, or broke off.
        """
        await self._keeper(alias).watch(uri)

    async def unwatch(self, alias: str, uri: str) -> None:
        await self._keeper(alias).unwatch(uri)

    async def set_level(self, level: str) -> None:
        """Asks every upstream that runs now or later for log messages from this level on."""
        async with anyio.create_task_group() as tasks:
            for keeper in (*self._keepers.values(), *self._twins.values()):
                tasks.start_soon(keeper.set_level, level)

    async def announce(self, method: str) -> None:
        """Sends a notification of the hosts to every upstream that runs and was not left out of such things."""
        for keeper in (*self._keepers.values(), *self._twins.values()):
            await keeper.announce(method)

    def state(self, alias: str) -> UpstreamStatus:
        """Raises NotFound."""
        return self._keeper(alias).status

    def due(self) -> list[str]:
        """Enabled upstreams whose definitions are unknown, of another launch spec, or too old."""
        now = time.time()
        return [alias for alias, keeper in self._keepers.items() if keeper.is_due(now)]

    def _keeper(self, alias: str) -> Keeper:
        if (keeper := self._keepers.get(alias)) is None:
            near = difflib.get_close_matches(alias, self._keepers, n=3)
            raise NotFound(f"there is no server named {alias!r} in the configuration", near)
        return keeper

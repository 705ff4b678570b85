"""Commands that ask servers for their tools: whom they wait for is said, and stragglers hold up no search."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING

import anyio

from toolrouter.cli.output import say
from toolrouter.errors import ToolrouterError

if TYPE_CHECKING:
    from toolrouter.app import Running
    from toolrouter.catalog.diff import Changes

SAY_EVERY_S = 5.0
STRAGGLERS_S = 4.0
"""How long a command that can go on without a server waits for it, once nothing moves any more."""
_LOOK_EVERY_S = 0.1


async def index_telling(
    router: Running, aliases: Collection[str], *, force: bool = False, stragglers_s: float = math.inf
) -> tuple[dict[str, Changes], list[str]]:
    """See `Running.index`; says every few seconds which servers are still waited for.

    Once something is known to go on with, servers that do not move for `stragglers_s` are given up for now.

    Returns:
        What changed, by server; and the servers that were given up.
    """
    pending = dict.fromkeys(aliases)
    changes: dict[str, Changes] = {}
    failure: ToolrouterError | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_watch, router, pending, stragglers_s, tasks.cancel_scope)
        try:
            changes = await router.index(aliases, force=force, on_answer=lambda alias: pending.pop(alias, None))
        except ToolrouterError as error:
            failure = error  # as it is: a task group would wrap it
        pending.clear()
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if pending:
        await router.index([])  # makes searchable what did come
    return changes, list(pending)


async def _watch(router: Running, pending: Collection[str], stragglers_s: float, giving_up: anyio.CancelScope) -> None:
    started = moved_at = said_at = anyio.current_time()
    before: dict[str, str] = {}
    while pending:
        await anyio.sleep(_LOOK_EVERY_S)
        now, states = anyio.current_time(), {alias: router.fleet.state(alias).state.value for alias in pending}
        if states != before or not router.catalog.snapshot.visible:
            before, moved_at = states, now
        if states and now - moved_at >= stragglers_s:
            giving_up.cancel()
            return
        if states and now - said_at >= SAY_EVERY_S:
            said_at = now
            waited = ", ".join(f"{alias} (up to {answer_limit_s(router, alias):g} s)" for alias in states)
            say(f"Still waiting for {waited}; {now - started:.0f} s so far.")


def answer_limit_s(router: Running, alias: str) -> float:
    """How long a server may take for its first answer, by the settings."""
    settings = router.settings
    return settings.options(alias).connect_timeout_s or settings.router.limits.connect_timeout_s

"""A call to a server that does not run yet: the host hears that it is being started, so that it goes on waiting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from toolrouter.errors import ToolrouterError
from toolrouter.ports import OnProgress
from toolrouter.types import JsonObject

TELL_FIRST_S = 1.0
TELL_EVERY_S = 5.0
STEP = 1e-6
"""Progress must grow, and the server's own, which comes later, starts at 0 or above."""


async def told_while_starting(
    alias: str, on_progress: OnProgress, request: Callable[[Callable[[], None]], Awaitable[JsonObject]]
) -> JsonObject:
    """What `request` returns or raises. It is given a function to call when the server runs."""
    failure: ToolrouterError | None = None
    result: JsonObject = {}
    telling = anyio.CancelScope()

    async def tell() -> None:
        progress = 0.0
        with telling:
            await anyio.sleep(TELL_FIRST_S)
            while True:
                await on_progress({"progress": progress, "message": f"Starting server {alias}"})
                progress += STEP
                await anyio.sleep(TELL_EVERY_S)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tell)
        try:
            result = await request(telling.cancel)
        except ToolrouterError as error:  # raised below: a task group would wrap it
            failure = error
        telling.cancel()
    if failure is not None:
        raise failure
    return result

"""What commands stand on: the settings of the config, and a router over them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio

from toolrouter.app import open_router
from toolrouter.catalog.naming import SEPARATOR, tool_id
from toolrouter.cli import asking
from toolrouter.cli.output import Progress, line_for_people, say
from toolrouter.errors import NotFound, UpstreamError
from toolrouter.settings_file import Loaded, home_folder, load_settings, secret_values
from toolrouter.telemetry.logs import Masking, configure_logs

if TYPE_CHECKING:
    from toolrouter.app import Running

T = TypeVar("T")
_ADD = "toolrouter add NAME -- COMMAND"


def load(config: Path | None, *, verbose: bool = False) -> Loaded:
    """Reads the config and sets up logs for it; says what is odd about it. Raises ConfigError."""
    loaded = load_settings(config)
    configure_logs(
        level="debug" if verbose else loaded.settings.router.log_level,
        stderr_level="debug" if verbose else "error",
        home=home_folder(),
        secrets=loaded.secrets,
    )
    for warning in loaded.warnings:
        say(f"warning: {warning}")
    return loaded


def with_router(config: Path | None, work: Callable[[Running], Awaitable[T]], *, verbose: bool = False) -> T:
    """Runs `work` on a router that is closed afterwards."""
    loaded = load(config, verbose=verbose)

    async def run() -> T:
        async with _router(loaded) as router:
            return await work(router)

    return anyio.run(run)


@asynccontextmanager
async def _router(loaded: Loaded) -> AsyncIterator[Running]:
    progress = Progress()
    try:
        async with open_router(loaded.settings, home=home_folder(), on_progress=progress) as router:
            yield router
    finally:
        progress.clear()


async def index_what_is_new(router: Running, aliases: Collection[str] | None = None, *, tell: bool = True) -> None:
    """Indexes the servers that were never reached. Those that failed before are left alone, and named if `tell`.

    A server that does not answer is waited for a short time only, unless nothing is known without it.
    """
    absent = [alias for alias in aliases or router.settings.enabled() if not _is_listed(router, alias)]
    failed = {alias: error for alias in absent if (error := server_error(router, alias))}
    waiting = [alias for alias in absent if alias not in failed]
    if waiting:
        say(f"Asking {', '.join(waiting)} for their tools; this happens once.")
        _, silent = await asking.index_telling(router, waiting, stragglers_s=asking.STRAGGLERS_S)
        if silent:
            names = ", ".join(silent)
            say(f"No answer yet from {names}: left out. `toolrouter index {' '.join(silent)}` waits longer.")
        failed |= {alias: error for alias in waiting if (error := server_error(router, alias))}
        for alias in silent:
            why = f"it did not answer within {asking.STRAGGLERS_S:g} s; `toolrouter index {alias}` waits longer"
            router.note_silence(alias, why)
    if tell or waiting:
        for alias, error in failed.items():
            say(f"{alias} is left out: {line_for_people(error)}")


async def index_for(router: Running, name: str) -> None:
    """Makes sure that a tool is known, if there is one: asks the server that its name begins with, and no other.

    That server is asked although it failed before, and waited for as long as the settings say. A name that begins
    with no server's may belong to any.

    Raises:
        UpstreamError: that server was never reached, and could not be now.
    """
    owners = [alias for alias in router.settings.enabled() if _begins_with(name, alias)]
    if not owners:
        await index_what_is_new(router, tell=False)
        return
    if absent := [alias for alias in owners if not _is_listed(router, alias)]:
        say(f"Asking {', '.join(absent)} for their tools; this happens once.")
        await asking.index_telling(router, absent)
    for alias in absent:
        if len(owners) == 1 and not _is_listed(router, alias) and (error := server_error(router, alias)):
            raise UpstreamError(alias, f"`{name}` cannot be used, because its server {alias} failed: {error}")


def _begins_with(name: str, alias: str) -> bool:
    # An alias that cannot stand in a name has another form there.
    forms = {alias, tool_id(alias, "x").partition(SEPARATOR)[0]}
    folded = name.casefold()
    return any(folded.startswith(f"{form}{sign}".casefold()) for form in forms for sign in (SEPARATOR, ".", "/", ":"))


def _is_listed(router: Running, alias: str) -> bool:
    server = router.catalog.snapshot.servers.get(alias)
    return (server is not None and server.listed_at > 0) or router.settings.servers[alias].disabled


def server_error(router: Running, alias: str) -> str:
    """Why a server could not be reached the last time, by this process or an earlier one; empty when it could."""
    spec = router.settings.servers[alias]
    if spec.disabled:
        return ""
    server = router.catalog.snapshot.servers.get(alias)
    error = spec.unusable or router.fleet.state(alias).error or (server.error if server else "")
    # A server's last words may repeat what it was given.
    return Masking(secret_values(router.settings))(error.removeprefix(f"{alias}: "))


def known_alias(router: Running, name: str) -> str:
    """`name`, if a server is called so. Raises NotFound."""
    if name not in router.settings.servers:
        raise no_server(name, router.settings.servers)
    return name


def no_server(name: str, servers: Collection[str], *, what: str = "server", add: str = _ADD) -> NotFound:
    """The error that nothing is called so: with what comes near, else all there is, else how to get one."""
    from difflib import get_close_matches

    near = get_close_matches(name, servers, 3, 0.5)
    known = f"Servers: {', '.join(servers)}." if servers else f"There is none yet: add one with `{add}`."
    return NotFound(f"No {what} is called `{name}`." + ("" if near else f" {known}"), near)

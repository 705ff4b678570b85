"""`toolrouter tools`: every tool that is known, also those that may not be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from toolrouter.cli import options
from toolrouter.cli.output import one_line, print_json, print_table, say
from toolrouter.cli.session import index_what_is_new, known_alias, with_router
from toolrouter.types import Status, Tool

if TYPE_CHECKING:
    from toolrouter.app import Running


def command(
    server: Annotated[list[str] | None, typer.Option("--server", "-s", help="Only of this server.")] = None,
    config: options.Config = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Servers that were never reached are asked first."""

    async def find(router: Running) -> list[Tool]:
        aliases = [known_alias(router, name) for name in server or ()]
        await index_what_is_new(router, aliases)
        configured = aliases or router.settings.servers
        return sorted(
            (tool for tool in router.catalog.snapshot.tools.values() if tool.server in configured),
            key=lambda tool: tool.id,
        )

    found = with_router(config, find, verbose=verbose)
    if json:
        print_json([_entry(tool) for tool in found])
    else:
        _show(found)


def _entry(tool: Tool) -> dict[str, object]:
    return {
        "name": tool.id,
        "server": tool.server,
        "status": tool.status.value,
        "hash": tool.hash,
        "tokens": tool.tokens,
    }


def _show(found: list[Tool]) -> None:
    rows = [(tool.id, tool.status.value, str(tool.tokens), one_line(tool.reason or tool.description)) for tool in found]
    print_table(("name", "status", "tokens", "about"), rows, right=("tokens",))
    usable = [tool for tool in found if tool.status is Status.APPROVED]
    say(f"{len(found)} tools, {len(usable)} usable, {sum(tool.tokens for tool in usable):,} o200k tokens.")

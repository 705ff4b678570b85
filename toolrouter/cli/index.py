"""`toolrouter index`: asks servers for their tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolrouter.catalog.live import STARTED_OTHERWISE
from toolrouter.cli import options
from toolrouter.cli.asking import index_telling
from toolrouter.cli.errors import DONE, FAILED
from toolrouter.cli.output import line_for_people, print_json, print_table, say
from toolrouter.cli.session import known_alias, server_error, with_router
from toolrouter.errors import ConfigError
from toolrouter.types import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolrouter.app import Running
    from toolrouter.catalog.diff import Changes

_OUTCOMES = ("added", "changed", "removed")


def command(
    server: Annotated[
        list[str] | None, typer.Argument(metavar="SERVER", help="Servers; else all that are enabled.")
    ] = None,
    config: options.Config = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> int:
    """Starts each server, fetches its tools, embeds what is new. Exit status 1 when one of them failed."""

    async def work(router: Running) -> dict[str, Any]:
        wanted = [known_alias(router, name) for name in server or ()] or list(router.settings.enabled())
        if not wanted:
            raise ConfigError("There is no server to index. Add one with `toolrouter add` or `toolrouter import`.")
        changes, _ = await index_telling(router, wanted, force=True)
        return _report(router, wanted, changes)

    report = with_router(config, work, verbose=verbose)
    if json:
        print_json(report)
    else:
        _show(report)
    return FAILED if any(entry["error"] for entry in report["servers"]) else DONE


def _report(router: Running, wanted: list[str], changes: Mapping[str, Changes]) -> dict[str, Any]:
    """What happened to each server's tools; `changes` has those servers that answered."""
    return {"servers": [_entry(router, alias, changes.get(alias)) for alias in wanted]}


def _entry(router: Running, alias: str, changes: Changes | None) -> dict[str, Any]:
    own = router.catalog.snapshot.by_server(alias)
    usable = [tool for tool in own if tool.status is Status.APPROVED]
    return {
        "name": alias,
        "tools": len(usable),
        "tokens": sum(tool.tokens for tool in usable),
        "error": "" if changes is not None else _why_not(router, alias),
        "added": [tool.id for tool in changes.added] if changes is not None else [],
        "changed": [tool.id for tool in changes.changed] if changes is not None else [],
        "removed": [tool.id for tool in changes.removed] if changes is not None else [],
        "refused": [
            {"name": tool.id, "status": tool.status.value, "reason": tool.reason}
            for tool in own
            if tool.status is not Status.APPROVED
        ],
    }


def _why_not(router: Running, alias: str) -> str:
    if router.catalog.facts(alias).withheld:
        return f"not started: {STARTED_OTHERWISE}"
    return server_error(router, alias) or "no answer"


def _show(report: dict[str, Any]) -> None:
    rows = []
    for entry in report["servers"]:
        counts = [str(len(entry[outcome]) or "") for outcome in (*_OUTCOMES, "refused")]
        rows.append(
            (entry["name"], str(entry["tools"]), f"{entry['tokens']:,}", *counts, line_for_people(entry["error"], 90))
        )
    columns = ("name", "tools", "tokens", *_OUTCOMES, "refused", "error")
    print_table(columns, rows, right=columns[1:-1])
    for entry in report["servers"]:
        for refused in entry["refused"]:
            say(f"{refused['name']} is {refused['status']}: {line_for_people(refused['reason'])}")

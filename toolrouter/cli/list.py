"""`toolrouter list`: the servers, from what is known on disk and what the daemon runs. Starts nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolrouter.cli import options
from toolrouter.cli.output import counted, line_for_people, one_line, print_json, print_table, say
from toolrouter.cli.session import server_error, with_router
from toolrouter.cli.waiting import count_waiting
from toolrouter.daemon.control import daemon_status, find_place
from toolrouter.server.asking import hint
from toolrouter.types import ServerState

if TYPE_CHECKING:
    from toolrouter.app import Running

_CURRENT = (ServerState.STARTING, ServerState.RUNNING, ServerState.FAILED)


def command(config: options.Config = None, json: options.Json = False, verbose: options.Verbose = False) -> None:
    """Starts no server: shows what is known from the last time each was reached, and what runs in the daemon now."""
    rows = with_router(config, _rows, verbose=verbose)
    daemon = daemon_status(find_place(None if config is None else str(config)))
    _tell_running(rows, daemon["servers"] if daemon else {})
    if json:
        print_json(rows)
    elif not rows:
        say("No servers yet. Add one: `toolrouter add time -- uvx mcp-server-time`.")
    else:
        shown = [
            (one_line(row["name"], 100), row["state"], str(row["tools"]), f"{row['tokens']:,}", _notes(row))
            for row in rows
        ]
        print_table(("name", "state", "tools", "tokens", "notes"), shown, right=("tools", "tokens"))
        for row in rows:
            if row["refused_asking"]:
                say(f"{row['name']} asked for what it may not: {hint(row['name'], row['refused_asking'])}")
        tools, tokens = (sum(row[key] for row in rows) for key in ("tools", "tokens"))
        say(f"{counted(tools, 'tool')}, {counted(tokens, 'o200k token')}.")


def _notes(row: dict[str, Any]) -> str:
    waiting = [f"{row['waiting']} to decide on: toolrouter review {row['name']}"] if row["waiting"] else []
    return "; ".join([*waiting, *([line_for_people(row["error"], 100)] if row["error"] else [])])


def _tell_running(rows: list[dict[str, Any]], servers: dict[str, Any]) -> None:
    """The daemon knows better than the disk what runs, what is being started and what just failed."""
    for row in rows:
        now = servers.get(row["name"])
        row["refused_asking"] = now.get("refused_asking", []) if now else []
        if now and now["state"] in _CURRENT:
            row["state"], row["error"] = now["state"], now["error"].removeprefix(f"{row['name']}: ")


async def _rows(router: Running) -> list[dict[str, Any]]:
    waiting = count_waiting(router)
    return [{**_row(router, alias), "waiting": waiting[alias]} for alias in router.settings.servers]


def _row(router: Running, alias: str) -> dict[str, Any]:
    snapshot, spec = router.catalog.snapshot, router.settings.servers[alias]
    usable = [tool for tool in snapshot.visible if tool.server == alias]
    state, error = ServerState.DISABLED, server_error(router, alias)
    if not spec.disabled:
        state = router.fleet.state(alias).state
        if error and state in (ServerState.NEW, ServerState.SLEEPING):
            state = ServerState.FAILED
    tokens = sum(tool.tokens for tool in usable)
    return {"name": alias, "state": state.value, "tools": len(usable), "tokens": tokens, "error": error}

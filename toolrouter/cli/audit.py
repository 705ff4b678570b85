"""`toolrouter audit`: what was called, decided and changed on this machine."""

from __future__ import annotations

import json as json_format
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer

from toolrouter.cli import options
from toolrouter.cli.errors import UsageError
from toolrouter.cli.output import counted, one_line, print_table, say
from toolrouter.settings_file import home_folder
from toolrouter.telemetry.audit import AuditLog

_AGO: Final = re.compile(r"(\d+)([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_COLUMNS: Final = ("at", "kind", "host", "tool", "decision", "outcome", "sha256")


def command(
    since: Annotated[
        str | None, typer.Option("--since", metavar="WHEN", help="From then on: 30m, 12h, 7d, or 2026-01-31.")
    ] = None,
    server: options.Servers = None,
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Names the host, the tool and the hash of the definition it was approved by; never the arguments of a call.

    With --json there is one object per line.
    """
    start = _start(since) if since else ""
    servers = options.each_of(server)
    events = [
        event
        for event in AuditLog(home_folder()).read()
        if str(event.get("at", "")) >= start and (not servers or event.get("server") in servers)
    ]
    if json:
        for event in events:
            sys.stdout.write(json_format.dumps(event) + "\n")
        return
    print_table(_COLUMNS, [_row(event) for event in events])
    say(f"{counted(len(events), 'event')}.")


def _start(since: str) -> str:
    ago = _AGO.fullmatch(since)
    if ago:
        moment = datetime.now(UTC) - timedelta(seconds=int(ago[1]) * _SECONDS[ago[2]])
    else:
        try:
            moment = datetime.fromisoformat(since).astimezone(UTC)
        except ValueError as error:
            raise UsageError(f"--since is a time span such as 12h or 7d, or a date, not {since!r}.") from error
    return moment.isoformat(timespec="milliseconds")


def _row(event: dict[str, Any]) -> tuple[str, ...]:
    text = {key: one_line(str(event.get(key, "")), 80) for key in (*_COLUMNS, "hash", "reason")}
    outcome = text["outcome"] or text["reason"]
    return (text["at"], text["kind"], text["host"], text["tool"], text["decision"], outcome, text["hash"][:12])

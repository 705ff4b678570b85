"""`toolrouter logs`: what the daemon and the commands of this home logged."""

from __future__ import annotations

import json
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from toolrouter.cli import options
from toolrouter.cli.errors import UsageError
from toolrouter.cli.output import print_text, printable, say
from toolrouter.settings_file import home_folder

POLL_S = 0.3
_LEVELS = ("debug", "info", "warning", "error", "critical")


def command(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on showing what is logged.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="So many lines of the past.")] = 50,
    server: Annotated[
        list[str] | None,
        typer.Option("--server", "-s", metavar="NAMES", help="Only what names one of these servers; by comma."),
    ] = None,
    part: Annotated[
        list[str] | None,
        typer.Option("--part", metavar="PARTS", help="Only of these parts (third column), by comma."),
    ] = None,
    level: Annotated[
        str, typer.Option("--level", metavar="LEVEL", help="From this on: debug, info, warning or error.")
    ] = "debug",
    raw: Annotated[bool, typer.Option("--json", help="As it stands in the file: one JSON object per line.")] = False,
    config: options.UnusedConfig = None,
) -> None:
    """From the file logs/toolrouter.log in the state folder, the newest last. --lines counts what the filters leave.

    Parts are: `app` (a server came up, failed or changed its tools; the config was edited), `upstream` (connections to
    servers, and their listings), `server` (towards hosts: failed calls, refused questions, the index), `daemon` (its
    start and end, who connects), `settings_file` and `catalog`. What is logged at all is `log_level` in the config.
    """
    wanted = _filter(options.each_of(server), options.each_of(part), level)
    path = home_folder() / "logs" / "toolrouter.log"
    if not path.exists() and not follow:
        say(f"Nothing was logged yet: there is no {path}.")
        return
    found = _last(path, lines, wanted)
    for line in found:
        print_text(line if raw else readable(line))
    if not found and lines and not follow:
        say(f"Nothing of that stands in {path}.")
    if follow:
        for line in filter(wanted, _new(path)):
            print_text(line if raw else readable(line))


def readable(line: str) -> str:
    """One record for people; a line that is none stays as it is."""
    try:
        record = json.loads(line)
        when = datetime.fromisoformat(record["time"]).astimezone().strftime("%m-%d %H:%M:%S")
        text = f"{when} {record['level']:8}{_origin(record)}  {record['message']}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return printable(line)
    return printable(text + ("\n" + record["traceback"] if "traceback" in record else ""))


def _filter(servers: Sequence[str], parts: Sequence[str], level: str) -> Callable[[str], bool]:
    """What a line must be to be shown. Raises UsageError."""
    if level.lower() not in _LEVELS:
        raise UsageError(f"--level {level}: expected one of {', '.join(_LEVELS)}.")
    least = _LEVELS.index(level.lower())
    named = re.compile("|".join(rf"(?<![\w.-]){re.escape(alias)}(?=__|[^\w-]|$)" for alias in servers))

    def is_wanted(line: str) -> bool:
        try:
            record = json.loads(line)
            at, message = _LEVELS.index(record["level"]), f"{record.get('server', '')} {record['message']}"
            origin = f"{_origin(record)}."
        except (ValueError, KeyError, TypeError, AttributeError):
            return not (servers or parts or least)
        return (
            at >= least
            and (not servers or named.search(message) is not None)
            and (not parts or any(origin.startswith(f"{each.removesuffix('.')}.") for each in parts))
        )

    return is_wanted


def _origin(record: dict[str, Any]) -> str:
    return str(record["logger"]).removeprefix("toolrouter.")


def _last(path: Path, count: int, wanted: Callable[[str], bool]) -> list[str]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return [line.rstrip("\n") for line in deque(filter(wanted, file), maxlen=count)]
    except FileNotFoundError:
        return []


def _new(path: Path) -> Iterator[str]:
    """Lines as they come, across rotations of the file."""
    file: TextIO | None = None
    unfinished = ""
    try:
        while True:
            if file is None and path.exists():
                file = path.open(encoding="utf-8", errors="replace")
                file.seek(0, 2)
            line = file.readline() if file is not None else ""
            if line.endswith("\n"):
                yield unfinished + line.rstrip("\n")
                unfinished = ""
                continue
            unfinished += line
            if file is not None and _was_rotated(file, path):
                file.close()
                file = path.open(encoding="utf-8", errors="replace") if path.exists() else None
            time.sleep(POLL_S)
    finally:
        if file is not None:
            file.close()


def _was_rotated(file: TextIO, path: Path) -> bool:
    try:
        return path.stat().st_ino != os.fstat(file.fileno()).st_ino
    except OSError:
        return True

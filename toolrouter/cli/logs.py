"""`toolrouter logs`: what the daemon and the commands of this home logged."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, TextIO

import typer

from toolrouter.cli import options
from toolrouter.cli.output import print_text, printable, say
from toolrouter.settings_file import home_folder

POLL_S = 0.3


def command(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on showing what is logged.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="So many lines of the past.")] = 50,
    raw: Annotated[bool, typer.Option("--json", help="As it stands in the file: one JSON object per line.")] = False,
    config: options.UnusedConfig = None,
) -> None:
    """From the file logs/toolrouter.log in the state folder, the newest last."""
    path = home_folder() / "logs" / "toolrouter.log"
    if not path.exists() and not follow:
        say(f"Nothing was logged yet: there is no {path}.")
        return
    for line in _last(path, lines):
        print_text(line if raw else readable(line))
    if follow:
        for line in _new(path):
            print_text(line if raw else readable(line))


def readable(line: str) -> str:
    """One record for people; a line that is none stays as it is."""
    try:
        record = json.loads(line)
        when = datetime.fromisoformat(record["time"]).astimezone().strftime("%m-%d %H:%M:%S")
        text = f"{when} {record['level']:8}{record['logger'].removeprefix('toolrouter.')}  {record['message']}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return printable(line)
    return printable(text + ("\n" + record["traceback"] if "traceback" in record else ""))


def _last(path: Path, count: int) -> list[str]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return [line.rstrip("\n") for line in deque(file, maxlen=count)]
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

"""How commands talk: data on stdout, everything else on stderr."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from toolrouter.errors import ConfigError
from toolrouter.telemetry.logs import is_shown

_WIDEST_PADDED = 48
"""Where there is no terminal, one longer cell moves the rest of its own row alone."""


def print_json(value: Any) -> None:
    """Prints as UTF-8 whatever the terminal's encoding is: this is for machines.

    What does not show is escaped: people look at it in terminals all the same.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False)
    unseen = {ord(char): json.dumps(char)[1:-1] for char in set(text) if not (is_shown(char) or char == "\n")}
    sys.stdout.flush()
    sys.stdout.buffer.write(text.translate(unseen).encode() + b"\n")
    sys.stdout.flush()


def print_text(text: str) -> None:
    """Prints data for people; what the terminal cannot show becomes `?`, what would steer it a blank."""
    print(_for_terminal(text, sys.stdout.encoding))


def say(text: str) -> None:
    """Says something about the work to the person; it may quote what a server said."""
    print(_for_terminal(text, sys.stderr.encoding), file=sys.stderr, flush=True)


def _for_terminal(text: str, encoding: str | None) -> str:
    return printable(text).encode(encoding or "utf-8", errors="replace").decode(encoding or "utf-8")


def made_folder(folder: Path) -> Path:
    """Makes a folder that is written to later: what is wrong with it is said before the work. Raises ConfigError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be made a folder to write to: {error.strerror}") from error
    return folder


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """A table no wider than the terminal. Files and pipes get plain text, a row in one line, nothing folded or cut."""
    shown = [[printable(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        print_text(_drawn(columns, shown, right))
    else:
        print_text(_plain(columns, shown, right))


def _drawn(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]) -> str:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        # Text, not markup: what a server calls itself must not style our output.
        table.add_row(*map(Text, row))
    console = Console(highlight=False)
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _plain(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]) -> str:
    from rich.cells import cell_len

    # A cell may have lines of its own: they stand under each other.
    lines = [parts for row in (columns, *rows) for parts in zip_longest(*(c.split("\n") for c in row), fillvalue="")]
    fitting = ([n for n in map(cell_len, column) if n <= _WIDEST_PADDED] for column in zip(*lines, strict=True))
    widths = [max(lengths, default=0) for lengths in fitting]

    def padded(part: str, width: int, column: str) -> str:
        blanks = " " * (width - cell_len(part))
        return blanks + part if column in right else part + blanks

    return "\n".join("  ".join(map(padded, parts, widths, columns)).rstrip() for parts in lines)


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 tool`, `2 tools`, `1,200 queries`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def printable(text: str) -> str:
    """`text` without control characters, so that no server can move the cursor of a terminal."""
    return "".join(letter if is_shown(letter) or letter in "\n\t" else " " for letter in text)


def one_line(text: str, most: int = 160) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def line_for_people(text: str, most: int = 160) -> str:
    """What a server said, in one line: cut for a terminal; files and pipes get all of it."""
    return one_line(text, most if sys.stdout.isatty() else len(text))


class Progress:
    """Shows one changing line on a terminal, and elsewhere a line per second at most."""

    def __init__(self) -> None:
        self._shown_at = 0.0
        self._width = 0
        self._stage = ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        finished = done >= total
        if stage == self._stage and not finished and now - self._shown_at < (0.1 if sys.stderr.isatty() else 1.0):
            return
        self._stage, self._shown_at = stage, now
        self._show(f"{stage} {done}/{total}" if total else stage)

    def _show(self, text: str) -> None:
        if not sys.stderr.isatty():
            say(text)
            return
        text = text[: shutil.get_terminal_size().columns - 1]
        sys.stderr.write("\r" + text.ljust(self._width))
        sys.stderr.flush()
        self._width = len(text)

    def clear(self) -> None:
        if self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()
            self._width = 0

"""How commands talk: data on stdout, everything else on stderr."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toolrouter.errors import ConfigError
from toolrouter.telemetry.logs import is_shown

NOT_KNOWN = "\N{EN DASH}"
"""In the place of a figure of nothing."""
_PROSE_CHARS, _LEAST_PROSE_CHARS = 110, 40
"""How long lines of prose are where there is no terminal, and where it is very narrow."""


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
    """A table for people. `right` names the columns of numbers.

    On a terminal it is turned or split where it would be too wide. Files and pipes get plain text, a row in one line,
    nothing folded or cut.
    """
    from toolrouter.cli.tables import drawn, plain

    shown = [[printable(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        print_text(drawn(columns, shown, right=right, width=shutil.get_terminal_size().columns))
    else:
        print_text(plain(columns, shown, right=right))


def print_prose(text: str, *, indent: int = 0) -> None:
    """Prints paragraphs, a line each in `text`, broken at blanks; what follows the first line of one is indented."""
    wide = shutil.get_terminal_size().columns if sys.stdout.isatty() else _PROSE_CHARS
    wrapper = textwrap.TextWrapper(
        max(wide, _LEAST_PROSE_CHARS), subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )
    for paragraph in text.split("\n"):
        print_text(wrapper.fill(paragraph))


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

"""Tables as text: for a terminal of some width, and for files and pipes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from rich.cells import cell_len

_WIDEST_PADDED = 48
"""Where there is no terminal, one longer cell moves the rest of its own row alone."""
_GAP = 2
_LEAST_LEADING, _LEAST_TEXT = 24, 12
"""Text may be folded, but not into less than this: the first column, and any other."""
_FEW_ROWS = 4

Rows = Sequence[Sequence[str]]


def drawn(columns: Sequence[str], rows: Rows, *, right: Sequence[str] = (), width: int) -> str:
    """For a terminal. Columns in `right` hold numbers, which never break; headers break at blanks alone.

    What is too wide for that is turned if it has few rows, else split; the first column then leads each part.
    """
    if _room(width, len(columns)) >= sum(_least_widths(columns, rows, right)):
        return _table(columns, rows, right, width)
    turned, *values = zip(columns, *rows, strict=True)
    if len(rows) <= _FEW_ROWS and _room(width, len(turned)) >= sum(_natural_widths(turned, values)):
        return _table(turned, values, turned[1:], width)
    parts = _parts(columns, rows, right, width)
    return "\n\n".join(_table([columns[at] for at in part], _only(rows, part), right, width) for part in parts)


def plain(columns: Sequence[str], rows: Rows, *, right: Sequence[str] = ()) -> str:
    """For files and pipes: a row in one line, nothing folded or cut."""
    # A cell may have lines of its own: they stand under each other.
    lines = [parts for row in (columns, *rows) for parts in zip_longest(*(c.split("\n") for c in row), fillvalue="")]
    fitting = ([n for n in map(cell_len, column) if n <= _WIDEST_PADDED] for column in zip(*lines, strict=True))
    widths = [max(lengths, default=0) for lengths in fitting]

    def padded(part: str, width: int, column: str) -> str:
        blanks = " " * (width - cell_len(part))
        return blanks + part if column in right else part + blanks

    return "\n".join("  ".join(map(padded, parts, widths, columns)).rstrip() for parts in lines)


def _table(columns: Sequence[str], rows: Rows, right: Sequence[str], width: int) -> str:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    widths = _fitted(_natural_widths(columns, rows), _least_widths(columns, rows, right), _room(width, len(columns)))
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True)
    for column, wide in zip(columns, widths, strict=True):
        table.add_column(Text(column), justify="right" if column in right else "left", overflow="fold", width=wide)
    for row in rows:
        # Text, not markup: what a server calls itself must not style our output.
        table.add_row(*map(Text, row))
    # Wider than the terminal only where numbers would break otherwise; without styles, which are no printable text.
    console = Console(color_system=None, highlight=False, width=max(width, sum(widths) + _GAP * len(widths)))
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _parts(columns: Sequence[str], rows: Rows, right: Sequence[str], width: int) -> list[list[int]]:
    """Columns by their places, in as few parts as can be, these about equally wide; the first is in each."""
    least = _least_widths(columns, rows, right)
    fewest = len(_filled(least, width))
    return next(parts for each in range(1, width + 1) if len(parts := _filled(least, each)) == fewest)


def _filled(least: Sequence[int], width: int) -> list[list[int]]:
    parts: list[list[int]] = []
    for at in range(1, len(least)):
        longer = [*parts[-1], at] if parts else []
        if longer and _room(width, len(longer)) >= sum(least[each] for each in longer):
            parts[-1] = longer
        else:
            parts.append([0, at])
    return parts


def _only(rows: Rows, places: Sequence[int]) -> Rows:
    return [[row[at] for at in places] for row in rows]


def _room(width: int, columns: int) -> int:
    return width - _GAP * (columns - 1)


def _fitted(natural: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """The natural widths; where they do not fit, the widest that can give way do."""
    widths = list(natural)
    while sum(widths) > room and (yielding := [at for at, wide in enumerate(widths) if wide > least[at]]):
        widths[max(yielding, key=widths.__getitem__)] -= 1
    return widths


def _natural_widths(columns: Sequence[str], rows: Rows) -> list[int]:
    return [max(map(_widest_line, cells)) for cells in zip(columns, *rows, strict=True)]


def _least_widths(columns: Sequence[str], rows: Rows, right: Sequence[str]) -> list[int]:
    return [
        max(
            _least_of_cells(at, max(map(_widest_line, cells), default=0), is_number=header in right),
            max(map(cell_len, header.split()), default=0),
        )
        for at, (header, *cells) in enumerate(zip(columns, *rows, strict=True))
    ]


def _least_of_cells(at: int, widest: int, *, is_number: bool) -> int:
    if is_number:
        return widest
    return min(widest, _LEAST_TEXT if at else _LEAST_LEADING)


def _widest_line(cell: str) -> int:
    return max(map(cell_len, cell.split("\n")))

"""Line charts from values: a PNG where matplotlib is installed, and a page that needs nothing but a browser."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolrouter.errors import ToolrouterError

_COLOURS = ("#1f6feb", "#d9480f", "#2b8a3e", "#862e9c", "#c2255c", "#5c940d", "#0b7285", "#495057")
_WIDTH, _HEIGHT = 860, 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 250, 50, 60


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one name; a line through them unless `marks` is set."""

    name: str
    points: Sequence[tuple[float, float]]
    marks: bool = False
    dashed: bool = False
    colour: int = 0


@dataclass(frozen=True, slots=True)
class Chart:
    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    log_y: bool = False


def write_png(path: Path, chart: Chart) -> None:
    """Draws the chart with matplotlib, which comes with `toolrouter[plots]`. Raises ToolrouterError without it."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ToolrouterError("PNG plots need matplotlib: pip install matplotlib") from error
    figure = Figure(figsize=(8.6, 4.6), dpi=144, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for series in chart.series:
        style: Any = {"marker": "o", "linestyle": ""} if series.marks else {"linestyle": "--" if series.dashed else "-"}
        axes.plot(
            [x for x, _ in series.points],
            [y for _, y in series.points],
            label=series.name,
            color=_colour(series),
            **style,
        )
    axes.set(title=chart.title, xlabel=chart.x_label, ylabel=chart.y_label, yscale="log" if chart.log_y else "linear")
    axes.grid(visible=True, alpha=0.3)
    figure.legend(loc="outside right upper", fontsize="small", frameon=False)
    figure.savefig(path)


Table = Sequence[Sequence[str]]
"""Rows of cells; the first row is the head."""


def write_html(path: Path, chart: Chart, *below: str | Table) -> None:
    """Writes one file without scripts and without anything to fetch; `below` the chart stand paragraphs and tables."""
    path.write_text(
        "<!doctype html><html lang=en><meta charset=utf-8>"
        f"<title>{html.escape(chart.title)}</title><style>{_STYLE}</style><h1>{html.escape(chart.title)}</h1>"
        + svg(chart)
        + "".join(f"<p>{html.escape(part)}</p>" if isinstance(part, str) else _table(part) for part in below)
        + "</html>\n",
        encoding="utf-8",
    )


def _table(rows: Table) -> str:
    lines = [
        "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row) + "</tr>"
        for row, tag in zip(rows, ["th"] + ["td"] * len(rows), strict=False)
    ]
    return f"<table>{''.join(lines)}</table>"


_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#212529}"
    "h1{font-size:1.3em}svg{max-width:100%;height:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "th,td{padding:.25em .8em;text-align:right;border-bottom:1px solid #dee2e6}th:first-child,td:first-child"
    "{text-align:left}"
)


def svg(chart: Chart) -> str:
    """The chart as an SVG element."""
    xs = _Axis([x for series in chart.series for x, _ in series.points], _LEFT, _WIDTH - _RIGHT, log=False)
    ys = _Axis([y for series in chart.series for _, y in series.points], _HEIGHT - _BOTTOM, _TOP, log=chart.log_y)
    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" font-family="system-ui,sans-serif" font-size="12">']
    for tick in ys.ticks():
        y = ys.place(tick)
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#dee2e6"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_number(tick)}</text>')
    for tick in xs.ticks():
        x = xs.place(tick)
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{_number(tick)}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 16}" text-anchor="middle">{html.escape(chart.x_label)}</text>')
    parts.append(f'<text x="{_LEFT - 60}" y="{_TOP - 20}">{html.escape(chart.y_label)}</text>')
    for row, series in enumerate(chart.series):
        parts += _drawn(series, xs, ys)
        parts += _legend(series, _TOP + 20 * row)
    return "".join([*parts, "</svg>"])


def _drawn(series: Series, xs: _Axis, ys: _Axis) -> list[str]:
    places = [(xs.place(x), ys.place(y)) for x, y in series.points]
    colour = _colour(series)
    if series.marks:
        return [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>' for x, y in places]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    dash = ' stroke-dasharray="6 4"' if series.dashed else ""
    return [f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'] if places else []


def _legend(series: Series, y: float) -> list[str]:
    x = _WIDTH - _RIGHT + 20
    dash = ' stroke-dasharray="6 4"' if series.dashed else ""
    mark = (
        f'<circle cx="{x + 12}" cy="{y}" r="5" fill="{_colour(series)}"/>'
        if series.marks
        else f'<path d="M{x} {y}h24" stroke="{_colour(series)}" stroke-width="2"{dash}/>'
    )
    return [mark, f'<text x="{x + 30}" y="{y + 4}">{html.escape(series.name)}</text>']


def _colour(series: Series) -> str:
    return _COLOURS[series.colour % len(_COLOURS)]


class _Axis:
    """Maps values to pixels."""

    def __init__(self, values: Sequence[float], start: float, end: float, *, log: bool) -> None:
        self._log = log
        self._low: float
        self._high: float
        self._start, self._end = start, end
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        if log:
            self._low, self._high = math.floor(math.log10(max(low, 1))), math.ceil(math.log10(max(high, 10)))
        else:
            step = _step(high - low or 1)
            self._low, self._high = math.floor(low / step) * step, math.ceil(high / step) * step
        if self._high == self._low:
            self._high += 1

    def place(self, value: float) -> float:
        at = math.log10(max(value, 1)) if self._log else value
        return self._start + (at - self._low) / (self._high - self._low) * (self._end - self._start)

    def ticks(self) -> list[float]:
        if self._log:
            return [10.0**power for power in range(int(self._low), int(self._high) + 1)]
        step = _step(self._high - self._low)
        return [self._low + step * number for number in range(round((self._high - self._low) / step) + 1)]


def _step(span: float) -> float:
    """A round distance between ticks, some five of them."""
    rough: float = 10.0 ** math.floor(math.log10(span / 5))
    return next(rough * factor for factor in (1, 2, 5, 10) if span / (rough * factor) <= 6)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.3g}"

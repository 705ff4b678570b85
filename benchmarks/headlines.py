"""The few rows of the README in the root."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.arms import REFERENCES
from benchmarks.markdown import read_result, table_of

OURS = "toolrouter_hybrid"
QUALITY_SET = "recorded"
QUALITY_KINDS = {
    "paraphrase": "asked in other words",
    "task": "as a task",
    "typo": "misspelt",
}
SHARED = 20
"""Servers of each host in the figures about sharing."""
Results = dict[tuple[str, str], dict[str, Any]]


def headlines(folder: Path, results: Results) -> list[str]:
    """The few rows of the README in the root."""
    rows = [
        row
        for row in (
            _quality_row(results),
            _surface_row(folder),
            _start_row(folder),
            *_hosts_rows(folder),
            *_call_rows(folder),
        )
        if row
    ]
    return table_of(["what", "figure", "command"], rows)


def _quality_row(results: Results) -> list[str] | None:
    """The right tool among the first five, beside the best reference, by kind.

    Nothing was fitted on this set; two weights of the fusion were chosen by looking at it too.
    """
    ours = results.get((OURS, QUALITY_SET))
    if not ours:
        return None
    figures = []
    for kind, said in QUALITY_KINDS.items():
        best = max(
            (_success(results[arm, QUALITY_SET], kind) for arm in REFERENCES if (arm, QUALITY_SET) in results),
            default=0,
        )
        figures.append(f"{said} {_success(ours, kind):.0f} % ({best:.0f} %)")
    what = f"right tool among the first five of {ours['tools']:,} (best of BM25, MiniLM and their rank fusion)"
    return [what, ", ".join(figures), "`python -m benchmarks.run --data DIR`"]


def _success(result: dict[str, Any], kind: str) -> float:
    return 100 * float(result["groups"][kind]["measures"]["Success@5"]["value"])


def _surface_row(folder: Path) -> list[str] | None:
    found = read_result(folder / "surface.json")
    if not found:
        return None
    what = f"what a model is shown with {found['servers']} servers, {found['tools']} tools"
    figure = f"{found['surface_tokens']} o200k tokens instead of {found['everything_tokens']:,}"
    return [what, figure, "`python -m benchmarks.surface`"]


def _start_row(folder: Path) -> list[str] | None:
    found = read_result(folder / "start.json")
    if not found:
        return None
    what = "start to the first `tools/list` in one process, known servers, one of 8 exits and one hangs"
    figure = f"{found['warm_over_trivial']:.2f} of the time of a trivial server on the SDK"
    return [what, figure, "`python -m benchmarks.start`"]


def _hosts_rows(folder: Path) -> list[list[str]]:
    found = read_result(folder / "start_hosts.json")
    if not found or "start_30" not in found:
        return []
    start, command = found["start_30"], "`python -m benchmarks.start_hosts`"
    running, started = (start[f"connector, daemon {word}"]["p50"] for word in ("running", "started"))
    others = [f"{name} {start[name]['p50']:.1f} s" for name in start if "proxy" in name]
    figure = "; ".join([f"{running:.2f} s, {started:.2f} s when the daemon has to start", *others])
    shared = found["sharing"]["3"]
    direct, routed = shared["direct"], shared["router, all called"]
    less = f"{routed['processes']} processes, {routed['mb']:,.0f} MB"
    memory = f"{less} instead of {direct['processes']}, {direct['mb']:,.0f} MB"
    return [
        ["start to the first `tools/list` through the daemon, 30 servers", figure, command],
        [f"3 hosts of {SHARED} servers, all called", memory, command],
    ]


def _call_rows(folder: Path) -> list[list[str]]:
    routes = (read_result(folder / "call_latency.json") or {}).get("routes", {})
    command, rows = "`python -m benchmarks.call_latency`", []
    for carrier in ("stdio", "HTTP"):
        if ways := routes.get(f"{carrier}, sdk"):
            one, some = ways["toolrouter"]["1"], ways["toolrouter"]["20"]
            figure = f"{one['added_p50']:.1f} ms, {one['added_p99']:.1f} ms; {100 * some['of_direct']:.0f} %"
            what = f"added to a call over {carrier} of a server on the SDK, p50 and p99; throughput, 20 in flight"
            rows.append([what, figure, command])
    return rows

"""Writes what a benchmark found: JSON, and with it the tables of the READMEs; a table for whoever ran it."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.report import RESULTS

__all__ = ["RESULTS", "save", "show", "spread"]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 95th and 99th percentile, and how many there were."""
    high, highest = (float(np.percentile(values, share)) for share in (95, 99))
    return {"p50": median(values), "p95": high, "p99": highest, "n": len(values)}


def save(name: str, figures: dict[str, Any], out: Path = RESULTS) -> None:
    out.mkdir(parents=True, exist_ok=True)
    machine = {"cpus": os.cpu_count(), "load": round(os.getloadavg()[0], 1), "python": platform.python_version()}
    document = {"at": datetime.now(UTC).date().isoformat(), "machine": machine, **figures}
    (out / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    if out == RESULTS:
        report.main([])


def show(rows: Sequence[Sequence[str]]) -> None:
    """Prints rows under the first of them."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        print(
            "  ".join(
                cell.ljust(width) if not at else cell.rjust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
        )

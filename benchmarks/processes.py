"""Counts processes and their memory. Linux only: reads /proc."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path


def descendants(*roots: int) -> set[int]:
    """The processes under these, themselves included, as far as they live."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            parents[int(entry.name)] = int(fields[1])
    found = {root for root in roots if alive(root)}
    while more := {pid for pid, parent in parents.items() if parent in found and pid not in found}:
        found |= more
    return {pid for pid in found if alive(pid)}


def marked(words: str) -> set[int]:
    """The processes whose command line has these words."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                if words.encode() in (entry / "cmdline").read_bytes():
                    found.add(int(entry.name))
    return {pid for pid in found if alive(pid)}


def alive(pid: int) -> bool:
    fields = _stat(pid)
    return fields is not None and fields[0] != "Z"


def resident_mb(pids: Collection[int], *, shared_once: bool = True) -> float:
    """Memory of all together: proportional, so that what they share counts once; or each in full."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            name, field = ("smaps_rollup", "Pss:") if shared_once else ("status", "VmRSS:")
            text = Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8")
            total += int(text.partition(field)[2].split()[0])
    return total / 1024


def wait_gone(pids: Collection[int], patience_s: float) -> set[int]:
    """Who is still there when the patience is over."""
    deadline = time.monotonic() + patience_s
    while (left := {pid for pid in pids if alive(pid)}) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _stat(pid: int) -> list[str] | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None

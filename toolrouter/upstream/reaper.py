"""Ends what a killed toolrouter left behind. Runs as a process of its own: `python -I -S reaper.py GRACE_S`.

toolrouter tells it the process groups of its servers on stdin (`+pgid`, `-pgid`). When stdin ends, however toolrouter
ended, the groups that are still told get SIGTERM and then SIGKILL. Standard library only; POSIX only.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress

POLL_S = 0.05


def read_groups(lines: Iterable[str]) -> set[int]:
    groups: set[int] = set()
    for line in lines:
        pgid = int(line[1:])
        if line[0] == "+":
            groups.add(pgid)
        else:
            groups.discard(pgid)
    return groups


def alive(pgid: int) -> bool:
    try:
        os.killpg(pgid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def wait_until_gone(groups: set[int], seconds: float) -> set[int]:
    deadline = time.monotonic() + seconds
    while (left := {pgid for pgid in groups if alive(pgid)}) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return left


def end(groups: set[int], grace_s: float) -> None:
    # Their stdin has just closed: most servers leave by themselves.
    for number in (signal.SIGTERM, signal.SIGKILL):
        groups = wait_until_gone(groups, grace_s)
        for pgid in groups:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pgid, number)


def main() -> None:
    # A terminal's Ctrl-C and a polite SIGTERM are toolrouter's to handle; this process outlives it by design.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    end(read_groups(sys.stdin), float(sys.argv[1]))


if __name__ == "__main__":
    main()

"""Writes `docs/pairs.md` from a run of the fidelity tests: `python -m tests.pairs`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = "tests/server/test_fidelity.py"
_LINE = re.compile(r"^(PASSED|FAILED) \S+::test_(\w+)(?:\[([\w-]+)\])?", re.MULTILINE)
_PAIRS = ("handshake-handshake", "handshake-modern", "modern-handshake", "modern-modern")


def main() -> None:
    # In one process, so that the rows stand in the order of the tests.
    command = [sys.executable, "-m", "pytest", TESTS, "-n", "0", "-q", "-rA", "--color=no"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600).stdout
    rows: dict[str, dict[str, str]] = defaultdict(dict)
    for outcome, name, pair in _LINE.findall(said):
        key = pair if pair in _PAIRS else f"handshake-{pair}" if pair in {"handshake", "modern"} else ""
        rows[name.replace("_", " ")][key] = "yes" if outcome == "PASSED" else "NO"
    if not rows:
        raise SystemExit(f"no test ran: {said}")
    lines = [
        "# What passes between hosts and servers of either era",
        "",
        "Host first, server second; `handshake` is 2024-11-05 to 2025-11-25, `modern` 2026-07-28. Written by",
        "`python -m tests.pairs`; the last column has tests that stand for one pair or for all.",
        "",
        "| | " + " | ".join(pair.replace("-", " / ") for pair in _PAIRS) + " | single |",
        "|---|" + "---|" * (len(_PAIRS) + 1),
    ]
    lines += [
        f"| {name} | " + " | ".join(found.get(key, "") for key in (*_PAIRS, "")) + " |" for name, found in rows.items()
    ]
    (ROOT / "docs" / "pairs.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

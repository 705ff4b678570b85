"""Runs every benchmark but search speed, one after the other, and fills the tables of both README.md.

python -m benchmarks.all --data DIR --venvs DIR [--npm DIR] [--model SET=DIR ...]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import report

VENVS = Path(__file__).parent / ".venvs"
ALONE = ("surface", "start", "memory", "tokens")
BESIDE_PROXIES = ("call_latency", "start_hosts")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--venvs", type=Path)
    parser.add_argument("--cache", type=Path, help="where vectors are kept between runs")
    parser.add_argument("--npm", type=Path, help="a folder in which npm has installed mcp-proxy")
    parser.add_argument("--model", action="append", default=[], metavar="SET=DIR", help="as of benchmarks.run")
    options = parser.parse_args()
    passed_on = [
        word
        for key in ("data", "venvs", "cache")
        if getattr(options, key)
        for word in (f"--{key}", str(getattr(options, key)))
    ]
    passed_on += [word for one in options.model for word in ("--model", one)]
    failed = [name for name in ALONE if _run(["-m", f"benchmarks.{name}"])]
    failed += [name for name in BESIDE_PROXIES if _run(["-m", f"benchmarks.{name}", *_other_proxies(options)])]
    failed += ["run"] if _run(["-m", "benchmarks.run", *passed_on]) else []
    report.main([])
    for name in failed:
        print(f"FAILED: {name}", file=sys.stderr)
    return int(bool(failed))


def _other_proxies(options: argparse.Namespace) -> list[str]:
    """What to compare with, as far as it is installed."""
    fastmcp = (options.venvs or VENVS) / "fastmcp" / "bin" / "python"
    found = ["--fastmcp", str(fastmcp)] if fastmcp.exists() else []
    return [*found, "--npm", str(options.npm)] if options.npm else found


def _run(arguments: list[str]) -> int:
    start = time.perf_counter()
    status = subprocess.run([sys.executable, *arguments], check=False).returncode
    print(f"{arguments[1]}: status {status}, {time.perf_counter() - start:.0f} s", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())

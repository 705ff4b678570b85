"""Runs every benchmark, one after the other, and fills the tables of README.md.

python -m benchmarks.all --data DIR --venvs DIR --npm DIR --servers DIR
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import report
from benchmarks.figures import RESULTS

VENVS = Path(__file__).parent / ".venvs"
ALONE = ("surface", "start", "call_latency", "memory")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--venvs", type=Path)
    parser.add_argument("--cache", type=Path, help="where vectors are kept between runs")
    parser.add_argument("--servers", type=Path, help="more recorded servers, ALIAS.json each, to count tokens of")
    parser.add_argument("--npm", type=Path, help="a folder in which npm has installed mcp-proxy")
    options = parser.parse_args()
    passed_on = [
        word
        for key in ("data", "venvs", "cache")
        if getattr(options, key)
        for word in (f"--{key}", getattr(options, key))
    ]
    failed = [name for name in ALONE if _run(["-m", f"benchmarks.{name}"])]
    failed += ["start_hosts"] if _run(["-m", "benchmarks.start_hosts", *_other_proxies(options)]) else []
    failed += ["run"] if _run(["-m", "benchmarks.run", *map(str, passed_on)]) else []
    failed += ["tokens"] if _tokens("tokens", ["--recorded"]) else []
    if options.servers and _tokens("tokens_more", ["--data", str(options.servers)]):
        failed.append("tokens_more")
    report.main([])
    for name in failed:
        print(f"FAILED: {name}", file=sys.stderr)
    return int(bool(failed))


def _other_proxies(options: argparse.Namespace) -> list[str]:
    """What to compare start and memory with, as far as it is installed."""
    fastmcp = (options.venvs or VENVS) / "fastmcp" / "bin" / "python"
    found = ["--fastmcp", str(fastmcp)] if fastmcp.exists() else []
    return [*found, "--npm", str(options.npm)] if options.npm else found


def _run(arguments: list[str]) -> int:
    start = time.perf_counter()
    status = subprocess.run([sys.executable, *arguments], check=False).returncode
    print(f"{arguments[1]}: status {status}, {time.perf_counter() - start:.0f} s", file=sys.stderr)
    return status


def _tokens(name: str, which: list[str]) -> int:
    command = [sys.executable, "-m", "toolrouter", "bench", "tokens", *which, "--json"]
    with tempfile.TemporaryDirectory() as plots:
        done = subprocess.run([*command, "--plot", plots], stdout=subprocess.PIPE, check=False)
    if done.returncode == 0:
        found = json.loads(done.stdout)
        (RESULTS / f"{name}.json").write_text(json.dumps({**found, "plots": []}) + "\n", encoding="utf-8")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())

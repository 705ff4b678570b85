"""Resident memory of the router with 2,000 tools indexed, after 100 searches over stdio.

python -m benchmarks.memory
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

from benchmarks.figures import RESULTS, save, show, spread
from benchmarks.live import stage
from toolrouter.evaluation.recorded import recorded_set
from toolrouter.types import JsonObject

LIMIT_MB = 250


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=int, default=2_000)
    parser.add_argument("--searches", type=int, default=100)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    recorded = recorded_set()
    with tempfile.TemporaryDirectory(prefix="toolrouter-bench-") as folder:
        servers = _replayed(Path(folder), [tool.raw for tool in recorded.tools], options.tools)
        with stage(servers) as ready:
            ready.run("index")
            with ready.serve() as host:
                host.start()
                host.request("tools/list")
                idle = resident_mb(host.process.pid)
                took = []
                for query in islice(cycle(recorded.queries), options.searches):
                    start = time.perf_counter()
                    host.call("search_tools", {"query": query.text})
                    took.append((time.perf_counter() - start) * 1000)
                after, peak = resident_mb(host.process.pid), resident_mb(host.process.pid, "VmHWM")
    figures = {
        "tools": options.tools,
        "searches": options.searches,
        "resident_before_mb": round(idle, 1),
        "resident_after_mb": round(after, 1),
        "peak_mb": round(peak, 1),
        "search_ms": spread(took),
    }
    save("memory", figures, options.out)
    show(
        [
            (f"router with {options.tools:,} tools", "MB"),
            ("before the first search", f"{idle:.0f}"),
            (f"after {options.searches} searches", f"{after:.0f}"),
            ("peak", f"{peak:.0f}"),
        ]
    )
    print(f"search over stdio: p50 {spread(took)['p50']:.1f} ms, p95 {spread(took)['p95']:.1f} ms")


def resident_mb(process: int, field: str = "VmRSS") -> float:
    """Of the process alone, without its children. Linux only."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(status.partition(f"{field}:")[2].split()[0]) / 1024


def _replayed(folder: Path, definitions: list[JsonObject], tools: int) -> JsonObject:
    """Servers of 100 tools each; beyond the recorded ones, copies under other names and with other words in front."""
    servers: JsonObject = {}
    replay = Path(__file__).parent.parent / "toolrouter" / "cli" / "replay.py"
    rows = list(islice(_varied(definitions), tools))
    for start in range(0, tools, 100):
        alias = f"server-{start // 100}"
        path = folder / f"{alias}.json.gz"
        recorded = {
            "server": alias,
            "package": alias,
            "version": "1",
            "protocol_version": "2025-11-25",
            "server_info": {"name": alias, "version": "1"},
            "instructions": None,
            "tools": rows[start : start + 100],
        }
        path.write_bytes(gzip.compress(json.dumps(recorded).encode()))
        servers[alias] = {"command": sys.executable, "args": ["-I", "-S", str(replay), str(path)]}
    return servers


def _varied(definitions: list[JsonObject]):  # type: ignore[no-untyped-def]
    for number, raw in enumerate(cycle(definitions)):
        copy = number // len(definitions)
        words = f"Edition {copy}. " if copy else ""
        yield {**raw, "name": f"{raw['name']}_{number}", "description": words + str(raw.get("description", ""))}


if __name__ == "__main__":
    main()

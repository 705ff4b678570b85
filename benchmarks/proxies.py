"""Calls a second and latency through toolrouter and other proxies, beside the same server called directly.

    python -m benchmarks.proxies [--fastmcp PYTHON] [--calls 400] [--cross-talk 10000]

The upstream is a minimal server on the official SDK, over stdio. `--fastmcp` names a Python that has FastMCP, whose
`create_proxy` is then measured too. At last many calls with different arguments are kept in flight, and each answer is
compared with what its call said.
"""

from __future__ import annotations

import argparse
import json
import time
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

from benchmarks.call_latency import burst
from benchmarks.figures import RESULTS, save, show, spread
from benchmarks.live import ECHO, TRIVIAL_SDK, Session, Stage, session, stage

IN_FLIGHT = (1, 20, 100)
FASTMCP = (
    "import json, sys\nfrom fastmcp.server import create_proxy\n"
    "create_proxy(json.loads(sys.argv[1])).run(transport='stdio', show_banner=False)\n"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cross-talk", type=int, default=10_000)
    parser.add_argument("--fastmcp", default="")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    figures: dict[str, Any] = {"calls": options.calls, "rounds": options.rounds}
    with stage({"sdk": TRIVIAL_SDK, "echo": ECHO}, exposure="all") as ready, ExitStack() as stack:
        ready.run("index")
        ways = {name: stack.enter_context(opened) for name, opened in _ways(ready, options.fastmcp).items()}
        for opened in ways.values():
            opened.start()
        figures["ways"] = _measured(ways, options)
        figures["mixed_up"] = cross_talk(ways["toolrouter"], options.cross_talk)
    save("proxies", figures, options.out)
    rows = [("way", *(f"{flight} in flight: p50 ms, calls/s" for flight in IN_FLIGHT))]
    for name, found in figures["ways"].items():
        rows.append((name, *(f"{found[str(n)]['p50']:.2f}, {found[str(n)]['per_s']:.0f}" for n in IN_FLIGHT)))
    show(rows)
    print(f"{figures['mixed_up']} of {options.cross_talk:,} answers went to another call than their own")


def _ways(ready: Stage, fastmcp: str) -> dict[str, AbstractContextManager[Session]]:
    command = [TRIVIAL_SDK["command"], *TRIVIAL_SDK["args"]]
    ways = {"direct": session(command), "toolrouter": ready.serve()}
    if fastmcp:
        config = json.dumps({"mcpServers": {"sdk": TRIVIAL_SDK}})
        ways["FastMCP create_proxy"] = session([fastmcp, "-c", FASTMCP, config])
    return ways


def _name_on(way: str) -> str:
    return "sdk__echo" if way == "toolrouter" else "echo"


def _measured(ways: dict[str, Session], options: argparse.Namespace) -> dict[str, Any]:
    """By turns, after one unmeasured round: what else the machine does meets all alike."""
    took: dict[str, dict[int, list[float]]] = {name: {n: [] for n in IN_FLIGHT} for name in ways}
    seconds: dict[str, dict[int, float]] = {name: dict.fromkeys(IN_FLIGHT, 0.0) for name in ways}
    for number in range(options.rounds + 1):
        for flight in IN_FLIGHT:
            for name, opened in ways.items():
                start = time.perf_counter()
                call = {"name": _name_on(name), "arguments": {"text": "x"}}
                found = burst(opened, call, options.calls if number else 50, flight)
                if number:
                    took[name][flight] += found
                    seconds[name][flight] += time.perf_counter() - start
    return {
        name: {str(n): {**spread(took[name][n]), "per_s": len(took[name][n]) / seconds[name][n]} for n in IN_FLIGHT}
        for name in ways
    }


def cross_talk(host: Session, calls: int, in_flight: int = 500) -> int:
    """How many answers do not say what their own call said."""
    waiting: dict[int, str] = {}
    sent = wrong = answered = 0
    while answered < calls:
        while sent < calls and len(waiting) < in_flight:
            words = f"call {sent}"
            waiting[host.send("tools/call", {"name": "echo__echo", "arguments": {"text": words}})] = words
            sent += 1
        message = host.read()
        expected = waiting.pop(message.get("id", -1), None)
        if expected is not None:
            answered += 1
            wrong += message["result"]["content"][0]["text"] != expected
    return wrong


if __name__ == "__main__":
    main()

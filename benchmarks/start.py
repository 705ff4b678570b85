"""Start to the first answer to `tools/list`: the router over 8 upstreams, of which one exits and one hangs.

    python -m benchmarks.start

Warm: the catalog is known from an earlier run. Cold: nothing is known; the second figure is when every healthy
server's tools can be searched, beside the slowest healthy server on its own.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from benchmarks.figures import RESULTS, save, show, spread
from benchmarks.live import (
    ECHO,
    EXITS,
    HANGS,
    ROUTER,
    TRIVIAL_SDK,
    Session,
    seconds_to_first_list,
    stage,
)

SERVERS = {
    "trivial-a": TRIVIAL_SDK,
    "trivial-b": TRIVIAL_SDK,
    **{f"echo-{letter}": ECHO for letter in "abcd"},
    "exits": EXITS,
    "hangs": HANGS,
}
HEALTHY = len(SERVERS) - 2
COLD_LIMIT_S = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    trivial_command = [TRIVIAL_SDK["command"], *TRIVIAL_SDK["args"]]
    trivial, warm, cold_list, cold_all = [], [], [], []
    # `index` waits for each server; what hangs would hold up nothing but this preparation.
    with stage(SERVERS, servers={"hangs": {"connect_timeout_s": 5}}) as ready:
        ready.run("index")
        for _ in range(options.rounds):
            # In turn, so that whatever else the machine does strikes both alike.
            trivial.append(seconds_to_first_list(trivial_command))
            serve = [*ROUTER, "serve", "--no-daemon", "--config", str(ready.config)]
            warm.append(seconds_to_first_list(serve, ready.home))
    for _ in range(max(1, options.rounds // 3)):
        with stage(SERVERS) as fresh:
            listed, searchable = _cold(fresh.serve())
            cold_list.append(listed)
            cold_all.append(searchable)
    figures = {
        "trivial_sdk_server_s": spread(trivial),
        "warm_first_list_s": spread(warm),
        "warm_over_trivial": round(spread(warm)["p50"] / spread(trivial)["p50"], 3),
        "cold_first_list_s": spread(cold_list),
        "cold_all_healthy_searchable_s": spread(cold_all),
        "upstreams": len(SERVERS),
    }
    save("start", figures, options.out)
    show(
        [
            ("start to first tools/list", "p50 s", "p95 s"),
            *(
                (name, f"{spread(values)['p50']:.2f}", f"{spread(values)['p95']:.2f}")
                for name, values in (
                    ("trivial server on the SDK, alone", trivial),
                    ("router, warm", warm),
                    ("router, cold", cold_list),
                    ("router, cold: all healthy servers searchable", cold_all),
                )
            ),
        ]
    )
    print(f"warm router / trivial server: {figures['warm_over_trivial']}")


def _cold(serving: object) -> tuple[float, float]:
    """Seconds to the first list, and until every healthy server is found by a search."""
    start = time.perf_counter()
    with serving as host:  # type: ignore[attr-defined]
        host.start()
        host.request("tools/list")
        listed = time.perf_counter() - start
        while _servers_found(host) < HEALTHY:
            if time.perf_counter() - start > COLD_LIMIT_S:
                raise SystemExit(f"after {COLD_LIMIT_S:.0f} s not every healthy server can be searched")
            time.sleep(0.05)
        return listed, time.perf_counter() - start


def _servers_found(host: Session) -> int:
    answer = host.call("search_tools", {"query": "echo", "limit": 20})
    text = "".join(block.get("text", "") for block in answer["content"])
    return sum(f"{alias}__echo" in text for alias in SERVERS)


if __name__ == "__main__":
    main()

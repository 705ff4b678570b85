"""What hosts pay: time to the first tool list, processes, memory, and what is left when parts are killed.

    python -m benchmarks.start_hosts [--kind time|sdk|echo] [--fastmcp PYTHON] [--npm FOLDER]

Start: a host's connector with the daemon running and without, the router in the host's own process, a trivial server
on the SDK, FastMCP's proxy (PYTHON has fastmcp) and npm's mcp-proxy, one per server (FOLDER/node_modules has it), over
the same 8 and 30 servers: `mcp-server-time` from PyPI, unless --kind says another. Sharing: 1 and 3 hosts with 20
servers each, direct and through the router. Orphans: kill -9 of host, connector and daemon in every order.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from itertools import permutations
from pathlib import Path
from typing import Any

import httpx

from benchmarks.figures import RESULTS, save, show, spread
from benchmarks.live import ECHO, ROUTER, TIME, TRIVIAL_SDK, UPSTREAMS, Stage, seconds_to_first_list, session, stage
from benchmarks.processes import descendants, marked, resident_mb, wait_gone
from toolrouter.daemon.control import daemon_status
from toolrouter.daemon.place import Place

SHARED_SERVERS = 20
LIMITS_S = {"connector, daemon running": 0.25, "connector, daemon started": 1.0}
GONE_S = 20.0
PROXY_LIMIT_S = 300.0


@dataclass(frozen=True)
class Kind:
    """Which server stands behind everything, and a call that it answers."""

    server: dict[str, Any]
    tool: str
    arguments: dict[str, Any]


KINDS = {
    "time": Kind(TIME, "get_current_time", {"timezone": "UTC"}),
    "sdk": Kind(TRIVIAL_SDK, "echo", {"text": "x"}),
    "echo": Kind(ECHO, "echo", {"text": "x"}),
}


@dataclass(frozen=True)
class Arm:
    """What is timed, after what is not."""

    run: Callable[[], float]
    rounds: int
    prepare: Callable[[], object] = lambda: None


def main() -> None:
    options = _options()
    os.environ["TOOLROUTER_IDLE_EXIT_S"] = "60"
    kind = KINDS[options.kind]
    figures: dict[str, Any] = {"limits_s": LIMITS_S, "kind": options.kind, "arms": _versions(options)}
    for count in options.servers:
        figures[f"start_{count}"] = _start(count, options)
    figures["connector_rss_mb"] = _connector_memory()
    figures["sharing"] = {str(hosts): _sharing(hosts, kind) for hosts in (1, 3)}
    figures["orphans"] = _orphans()
    save("start_hosts", figures, options.out)
    _show(figures, options.servers)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--servers", type=int, nargs="+", default=[8, 30])
    parser.add_argument("--fastmcp", type=Path, metavar="PYTHON")
    parser.add_argument("--npm", type=Path, metavar="FOLDER")
    parser.add_argument("--kind", choices=list(KINDS), default="time", help="what servers stand behind all")
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


def _versions(options: argparse.Namespace) -> dict[str, str]:
    """Of what is not ours."""
    found = {"mcp-server-time": version("mcp-server-time")} if options.kind == "time" else {}
    if options.fastmcp:
        code = "import fastmcp; print(fastmcp.__version__)"
        said = subprocess.run([str(options.fastmcp), "-c", code], capture_output=True, text=True, check=True)
        found["fastmcp"] = said.stdout.strip()
    if options.npm:
        package = options.npm / "node_modules" / "mcp-proxy" / "package.json"
        found["mcp-proxy"] = json.loads(package.read_text(encoding="utf-8"))["version"]
    return found


def _start(count: int, options: argparse.Namespace) -> dict[str, Any]:
    server = KINDS[options.kind].server
    servers = {f"server-{number}": server for number in range(count)}
    with stage(servers) as ready:
        ready.run("index")
        connect = [*ROUTER, "serve", "--config", str(ready.config)]
        with _kept_daemon(ready) as bring_daemon:
            few = max(1, options.rounds // 3)
            arms = {
                "trivial SDK server": Arm(lambda: seconds_to_first_list(_command(TRIVIAL_SDK)), options.rounds),
                "connector, daemon running": Arm(
                    lambda: seconds_to_first_list(connect, ready.home), options.rounds, bring_daemon
                ),
                "connector, daemon started": Arm(
                    lambda: seconds_to_first_list(connect, ready.home), options.rounds, lambda: _without_daemon(ready)
                ),
                "in process": Arm(lambda: seconds_to_first_list([*connect, "--no-daemon"], ready.home), options.rounds),
            }
            if options.fastmcp:
                proxy = [str(options.fastmcp), str(UPSTREAMS / "fastmcp_proxy.py"), str(ready.config)]
                arms["FastMCP proxy"] = Arm(lambda: seconds_to_first_list(proxy), few)
            if options.npm:
                arms["npm mcp-proxy, one per server"] = Arm(lambda: _npm_proxies(options.npm, server, count), few)
            return _in_turn(arms)


def _in_turn(arms: dict[str, Arm]) -> dict[str, Any]:
    """All arms, round by round, so that whatever else the machine does strikes all alike."""
    walls: dict[str, list[float]] = {name: [] for name in arms}
    cpus: dict[str, list[float]] = {name: [] for name in arms}
    for number in range(max(arm.rounds for arm in arms.values())):
        for name, arm in arms.items():
            if number < arm.rounds:
                arm.prepare()
                before = _cpu_s()
                walls[name].append(arm.run())
                cpus[name].append(_cpu_s() - before)
    base = spread(walls["trivial SDK server"])["p50"]
    return {
        name: {
            **spread(values),
            "best": min(values),
            "cpu_p50": spread(cpus[name])["p50"],
            "over_trivial": round(spread(values)["p50"] / base, 3),
        }
        for name, values in walls.items()
    }


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _command(server: dict[str, Any]) -> list[str]:
    return [server["command"], *server["args"]]


@contextmanager
def _kept_daemon(ready: Stage) -> Iterator[Callable[[], None]]:
    """A function that makes sure that the daemon runs and has nothing else to do."""

    def bring() -> None:
        if _status(ready) is None:
            seconds_to_first_list([*ROUTER, "serve", "--config", str(ready.config)], ready.home)
            time.sleep(3)  # it builds its index after the first answers

    try:
        yield bring
    finally:
        _without_daemon(ready)


def _without_daemon(ready: Stage) -> None:
    ready.run("stop")


def _status(ready: Stage) -> dict[str, Any] | None:
    return daemon_status(Place(str(ready.home), str(ready.config)))


def _npm_proxies(folder: Path, server: dict[str, Any], count: int) -> float:
    """From starting one proxy per server to the last of their lists, asked for over Streamable HTTP."""
    node = folder / "node_modules" / "node" / "bin" / "node"
    program = str(node) if node.exists() else "node"
    script = str((folder / "node_modules" / ".bin" / "mcp-proxy").resolve())
    ports = [_free_port() for _ in range(count)]
    start = time.perf_counter()
    started = [
        subprocess.Popen(
            [program, script, "--port", str(port), "--server", "stream", "--", *_command(server)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for port in ports
    ]
    try:
        with httpx.Client(timeout=5) as client:
            for port in ports:
                _first_list_over_http(client, f"http://127.0.0.1:{port}/mcp", start + PROXY_LIMIT_S)
        return time.perf_counter() - start
    finally:
        for process in started:
            process.kill()
            process.wait()


def _first_list_over_http(client: httpx.Client, url: str, deadline: float) -> None:
    headers = {"Accept": "application/json, text/event-stream"}
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "benchmark", "version": "1"}}
    while True:
        try:
            greeting = client.post(
                url, headers=headers, json={"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
            )
            greeting.raise_for_status()
            break
        except httpx.HTTPError:
            if time.perf_counter() > deadline:
                raise
            time.sleep(0.02)
    if session_id := greeting.headers.get("mcp-session-id"):
        headers["mcp-session-id"] = session_id
    client.post(url, headers=headers, json={"jsonrpc": "2.0", "method": "notifications/initialized"})
    listed = client.post(url, headers=headers, json={"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}})
    if '"tools":[{' not in listed.text:
        raise SystemExit(f"{url} answered {listed.status_code}: {listed.text[:200]}")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _connector_memory() -> float:
    with stage({"echo": ECHO}) as ready:
        ready.run("index")
        with ready.serve_shared() as host:
            host.start()
            host.request("tools/list")
            host.call("call_tool", {"name": "echo__echo", "arguments": {"text": "x" * 100_000}})
            resident = resident_mb([host.process.pid], shared_once=False)
        _without_daemon(ready)
    return round(resident, 1)


def _sharing(hosts: int, kind: Kind) -> dict[str, Any]:
    one = kind.server
    servers = {f"server-{number}": one for number in range(SHARED_SERVERS)}
    with ExitStack() as opened:
        direct = [opened.enter_context(session(_command(one))) for _ in range(hosts * SHARED_SERVERS)]
        for each in direct:
            each.start()
            each.request("tools/list")
        alone = descendants(*(each.process.pid for each in direct))
        direct_figures = {"processes": len(alone), "mb": round(resident_mb(alone), 1)}
    with stage(servers, limits={"parallel_starts": 4}) as ready, ExitStack() as opened:
        ready.run("index")
        joined = [opened.enter_context(ready.serve_shared()) for _ in range(hosts)]
        for host in joined:
            host.start()
            host.request("tools/list")
        status = _status(ready)
        if status is None:
            raise SystemExit("the daemon is gone")
        roots = [status["pid"], *(host.process.pid for host in joined)]
        idle = descendants(*roots)
        idle_figures = {"processes": len(idle), "mb": round(resident_mb(idle), 1)}
        for alias in servers:
            joined[0].call("call_tool", {"name": f"{alias}__{kind.tool}", "arguments": kind.arguments})
        busy = descendants(*roots)
        busy_figures = {"processes": len(busy), "mb": round(resident_mb(busy), 1)}
        _without_daemon(ready)
    return {"direct": direct_figures, "router, nothing called": idle_figures, "router, all called": busy_figures}


def _orphans() -> dict[str, int]:
    return {" → ".join(order): _left_after(order) for order in permutations(("host", "connector", "daemon"))}


def _left_after(order: Sequence[str]) -> int:
    """How many processes are left when these were killed one right after the other."""
    with stage({"echo": ECHO}) as ready:
        marked_echo = {"command": ECHO["command"], "args": [*ECHO["args"], str(ready.config)]}
        ready.config.write_text(json.dumps({"mcpServers": {"echo": marked_echo}}), encoding="utf-8")
        environ = {**os.environ, "TOOLROUTER_HOME": str(ready.home), "TOOLROUTER_IDLE_EXIT_S": "1"}
        command = [sys.executable, str(UPSTREAMS / "host.py"), "echo__echo"]
        command += [*ROUTER, "serve", "--config", str(ready.config)]
        host = subprocess.Popen(command, stdout=subprocess.PIPE, env=environ)
        assert host.stdout
        connector = int(host.stdout.readline())
        status = _status(ready)
        if status is None:
            raise SystemExit("the daemon is gone")
        pids = {"host": host.pid, "connector": connector, "daemon": status["pid"]}
        everybody = descendants(*pids.values())
        for name in order:
            os.kill(pids[name], signal.SIGKILL)
        host.wait()
        host.stdout.close()
        deadline = time.monotonic() + GONE_S
        left = wait_gone(everybody, GONE_S)
        while marked(str(ready.config)) and time.monotonic() < deadline:
            time.sleep(0.1)
        left |= marked(str(ready.config))
        for pid in left:
            os.kill(pid, signal.SIGKILL)
    return len(left)


def _show(figures: dict[str, Any], counts: Sequence[int]) -> None:
    for count in counts:
        rows = [(f"start to first list, {count} servers", "p50 s", "best s", "CPU s", "/ trivial")]
        for name, each in figures[f"start_{count}"].items():
            numbers = (each["p50"], each["best"], each["cpu_p50"], each["over_trivial"])
            rows.append((name, *(f"{number:.3f}" for number in numbers)))  # type: ignore[arg-type]
        show(rows)
        print()
    print(f"connector: {figures['connector_rss_mb']} MB resident\n")
    rows = [(f"{SHARED_SERVERS} servers", "processes", "MB")]
    for hosts, each in figures["sharing"].items():
        rows += [(f"{hosts} hosts, {name}", str(found["processes"]), str(found["mb"])) for name, found in each.items()]
    show(rows)
    print()
    show([("killed with -9, in this order", "left"), *((name, str(left)) for name, left in figures["orphans"].items())])


if __name__ == "__main__":
    main()

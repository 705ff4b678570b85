"""`toolrouter serve` as a host starts it."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Shell
from toolrouter.cli.main import run
from toolrouter.cli.serve import overridden, parse_address
from toolrouter.config import Exposure, Settings

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8765", ("127.0.0.1", 8765)),
        (":8765", ("127.0.0.1", 8765)),
        ("8765", ("127.0.0.1", 8765)),
        ("router.local:0", ("router.local", 0)),
        ("[::1]:80", ("::1", 80)),
    ],
)
def test_an_address_may_be_short(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "host", "host:", "host:99999", "http://h:1", "::1:80"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected HOST:PORT"):
        parse_address(text)


def test_the_command_line_comes_before_the_config() -> None:
    settings = overridden(Settings(), Exposure.ALL, "secret")
    assert settings.router.exposure is Exposure.ALL
    assert settings.router.http.token == "secret"
    assert overridden(Settings(), None, "") == Settings()


@pytest.mark.parametrize("words", [["--nonsense"], ["--http", "nowhere"], ["--exposure", "some"], ["extra"]])
def test_wrong_usage_is_status_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", *words]) == 2
    assert capsys.readouterr().out == ""


def test_a_broken_config_is_said_on_stderr_and_stdout_stays_clean(shell: Shell) -> None:
    shell.config.write_text("{", encoding="utf-8")
    found = shell("serve")
    assert (found.status, found.out) == (1, "")
    assert "line 1" in found.err


def talk(shell: Shell, *requests: dict[str, Any], words: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Starts a router, sends all requests, closes its stdin, and returns what it answered, by id."""
    lines = [json.dumps({"jsonrpc": "2.0", "id": number, **each}) for number, each in enumerate(requests)]
    done = subprocess.run(
        [sys.executable, "-m", "toolrouter", "serve", "--config", str(shell.config), *words],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TOOLROUTER_HOME": str(shell.folder / "home")},
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return sorted((each for each in answers if "id" in each), key=lambda each: each["id"])


HELLO = {
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}},
}


def test_a_host_gets_the_meta_tools_and_reaches_an_upstream_through_them(shell: Shell) -> None:
    shell("index")
    call = {"name": "call_tool", "arguments": {"name": "demo__echo", "arguments": {"text": "hi"}}}
    hello, listed, called = talk(shell, HELLO, {"method": "tools/list"}, {"method": "tools/call", "params": call})
    assert hello["result"]["serverInfo"]["name"] == "toolrouter"
    assert {"search_tools", "call_tool"} <= {tool["name"] for tool in listed["result"]["tools"]}
    assert called["result"]["content"] == [{"type": "text", "text": '{"text": "hi"}'}]


def test_with_exposure_all_the_tools_themselves_are_listed(shell: Shell) -> None:
    shell("index")
    _, listed = talk(shell, HELLO, {"method": "tools/list"}, words=("--exposure", "all"))
    assert {"demo__echo", "demo__fail", "demo__picture"} <= {tool["name"] for tool in listed["result"]["tools"]}

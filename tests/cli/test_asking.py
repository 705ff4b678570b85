"""Servers that do not answer, or failed: what commands do without them, and what they say."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Shell

STUB = Path(__file__).parent.parent / "upstreams_stub" / "stub.py"
HANGING: dict[str, Any] = {"command": sys.executable, "args": ["-I", "-S", str(STUB), "hang"]}
ECHO = ("--args", '{"text": "a"}')


def with_one_that_hangs(shell: Shell, *, connect_timeout_s: float) -> None:
    limits = {"connect_timeout_s": connect_timeout_s, "stop_timeout_s": 0.2}
    shell.configure({"hang9": HANGING, "demo": shell.server()}, limits=limits)


def test_a_call_and_a_description_ask_only_the_server_of_that_name(shell: Shell) -> None:
    with_one_that_hangs(shell, connect_timeout_s=60)
    described = shell("describe", "demo__echo")
    called = shell("call", "demo__echo", *ECHO)
    assert (described.status, called.status, called.out) == (0, 0, '{"text": "a"}\n')
    assert "hang9" not in described.err + called.err


def test_a_search_goes_on_without_a_server_that_does_not_answer(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolrouter.cli.asking.STRAGGLERS_S", 0.3)
    with_one_that_hangs(shell, connect_timeout_s=60)
    found = shell("search", "repeat a text")
    assert found.status == 0
    assert "demo__echo" in found.out
    assert "No answer yet from hang9: left out. `toolrouter index hang9` waits longer." in found.err
    again = shell("search", "repeat a text")
    assert "demo__echo" in again.out
    assert "Asking" not in again.err, "it is waited for once"
    assert "hang9 is left out: it did not answer within 0.3 s; `toolrouter index hang9` waits longer" in again.err


@pytest.mark.parametrize("command", ["index", "doctor"])
def test_whoever_waits_is_told_for_whom_and_how_long(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr("toolrouter.cli.asking.SAY_EVERY_S", 0.2)
    with_one_that_hangs(shell, connect_timeout_s=1.5)
    found = shell(command)
    assert "Still waiting for hang9 (up to 1.5 s); " in found.err
    assert "hang9 did not answer within 1.5 s" in " ".join(found.out.split())


def test_a_call_to_a_server_that_failed_says_so_and_why(shell: Shell) -> None:
    shell.configure({"demo": shell.server(), "secret": {**shell.server(), "env": {"KEY": "${SURELY_NOT_SET}"}}})
    for command in ("call", "describe"):
        found = shell(command, "secret__echo")
        assert found.status == 1
        assert "its server secret failed: " in found.err
        assert "SURELY_NOT_SET" in found.err
        assert "Did you mean" not in found.err


def test_a_call_tries_again_a_server_that_has_been_mended(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.configure({"demo": {**shell.server(), "env": {"KEY": "${SET_LATER}"}}})
    assert shell("call", "demo__echo", *ECHO).status == 1
    monkeypatch.setenv("SET_LATER", "1")
    assert shell("call", "demo__echo", *ECHO).status == 0


def test_a_host_name_that_leads_nowhere_is_said_to(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    shell.configure({"far": {"url": "https://no-such-host.invalid/mcp"}})
    (finding,) = [each for each in shell("doctor", "--json").json if each["subject"] == "far"]
    assert "the name no-such-host.invalid cannot be resolved (DNS)" in finding["detail"]
    assert "refused" not in finding["detail"]
    assert "DNS" in finding["fix"]
    assert "spelling" not in finding["detail"], "advice is given once"
    assert "headers" not in finding["fix"]


def test_a_command_with_options_is_to_stand_behind_two_dashes(shell: Shell) -> None:
    found = shell("add", "fs", "npx", "-y", "x")
    assert found.status == 2
    assert "toolrouter add NAME -- npx -y PACKAGE" in " ".join(found.err.split())


def test_arguments_without_their_option_are_told_where_they_go(shell: Shell) -> None:
    found = shell("call", "demo__echo", '{"text": "a"}')
    assert found.status == 2
    assert "Arguments go behind --args" in " ".join(found.err.split())


def test_without_any_server_a_search_says_how_to_add_one(shell: Shell) -> None:
    shell.configure({})
    found = shell("search", "anything")
    assert found.status == 1
    assert "`toolrouter add`" in found.err

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Shell
from toolrouter.cli.unpinned import unpinned


def by_subject(found: Any) -> dict[str, dict[str, str]]:
    return {finding["subject"]: finding for finding in found.json}


def test_when_all_is_well_doctor_says_so(shell: Shell) -> None:
    found = shell("doctor", "--json")
    assert found.status == 0, found.out
    findings = by_subject(found)
    assert {"config", "tokenizer", "state", "demo", "catalog", "search"} <= set(findings)
    assert {finding["outcome"] for finding in findings.values()} == {"ok"}
    assert "3 tools" in findings["demo"]["detail"]
    assert "Everything is in order" in shell("doctor").err


def test_every_problem_names_its_fix(shell: Shell) -> None:
    shell.configure({
        "demo": shell.server(),
        "gone": {"command": "npx-that-is-not-here"},
        "secret": {**shell.server(), "env": {"KEY": "${SURELY_NOT_SET}"}},
        "folder": {**shell.server(), "cwd": "/no/such/folder"},
        "closed": {"url": "http://127.0.0.1:9/mcp"},
    })  # fmt: skip
    found = shell("doctor", "--json")
    assert found.status == 1
    problems = [finding for finding in found.json if finding["outcome"] == "problem"]
    assert {finding["subject"] for finding in problems} == {"gone", "secret", "folder", "closed"}
    assert all(finding["fix"] for finding in problems)
    details = {finding["subject"]: finding["detail"] for finding in reversed(problems)}
    assert "is not on PATH" in details["gone"]
    assert "SURELY_NOT_SET" in details["secret"]
    assert "/no/such/folder does not exist" in details["folder"]


def test_without_connecting_nothing_is_started(shell: Shell) -> None:
    findings = by_subject(shell("doctor", "--no-connect", "--json"))
    assert "demo" not in findings
    assert findings["search"]["outcome"] == "warning"


def test_a_config_that_cannot_be_read_is_the_first_problem(shell: Shell) -> None:
    shell.config.write_text('{"mcpServers": []}', encoding="utf-8")
    found = shell("doctor", "--json")
    assert found.status == 1
    assert found.json[0]["subject"] == "config"
    assert "must be an object" in found.json[0]["detail"]
    assert "correct the file" in found.json[0]["fix"]
    nowhere = shell("doctor", "--json", config=shell.folder / "none.json").json[0]
    assert "does not exist" in nowhere["detail"]
    assert "correct" not in nowhere["fix"]


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
def test_doctor_says_who_else_could_approve_or_start_programs(shell: Shell) -> None:
    home = shell.folder / "home"
    home.mkdir()
    home.chmod(0o777)
    shell.config.chmod(0o646)
    found = shell("doctor", "--no-connect", "--json").json
    told = {(each["subject"], each["outcome"]): each for each in found if "can write" in each["detail"]}
    assert {("state", "problem"), ("config", "warning")} <= told.keys()
    assert told["state", "problem"]["fix"].startswith("chmod 700 ")
    home.chmod(0o700)


def test_odd_keys_are_warnings(shell: Shell) -> None:
    shell.configure({"demo": {**shell.server(), "arg": []}})
    found = shell("doctor", "--no-connect", "--json")
    assert found.status == 0
    assert any("Did you mean `args`" in finding["detail"] for finding in found.json)


def test_a_home_that_cannot_be_written_is_a_problem(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = Path(shell.folder) / "blocked"
    blocked.write_text("", encoding="utf-8")
    monkeypatch.setenv("TOOLROUTER_HOME", str(blocked))
    found = shell("doctor", "--no-connect", "--json")
    assert found.status == 1
    state = next(finding for finding in found.json if finding["subject"] == "state")
    assert "TOOLROUTER_HOME" in state["fix"]


def test_findings_show_no_secret(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "hunter2222")
    complaint = "import sys; sys.exit('cannot log in with ' + sys.argv[1])"
    shell.configure({"a": {"command": sys.executable, "args": ["-S", "-c", complaint, "${MY_TOKEN}"]}})
    found = shell("doctor", "--json")
    assert "cannot log in" in found.out
    assert "hunter2222" not in found.out + found.err


@pytest.mark.parametrize(
    ("words", "package"),
    [
        ("npx -y @scope/server", "@scope/server"),
        ("npx -y @scope/server@1.2.3", ""),
        ("npx --yes server@latest --port 3", "server@latest"),
        ("npx -p server@1 server", ""),
        ("/usr/bin/npx -y server", "server"),
        ("uvx mcp-server-time", "mcp-server-time"),
        ("uvx mcp-server-time@2026.10.19", ""),
        ("uvx -p 3.12 --from mcp-server-time==1.0 serve", ""),
        ("uvx --from git+https://example.org/a@v1 serve", ""),
        ("docker run -i --rm -e KEY mcp/time", "mcp/time"),
        ("docker run -i mcp/time:latest", "mcp/time:latest"),
        ("docker run -i mcp/time@sha256:abcd", ""),
        ("node server.js", ""),
        ("npx", ""),
    ],
)
def test_a_package_that_may_be_another_one_tomorrow_is_named(words: str, package: str) -> None:
    command, *arguments = words.split()
    assert unpinned(command, arguments) == package


def test_doctor_names_servers_without_a_version_in_one_warning(shell: Shell) -> None:
    tools = shell.config.parent / "bin"
    tools.mkdir()
    (tools / "npx").write_text("#!/bin/sh\n", encoding="utf-8")
    (tools / "npx").chmod(0o755)
    names = {"loose": "server", "open": "other", "fixed": "third@1.2.3"}
    shell.configure(
        {a: {"command": "npx", "args": ["-y", package], "env": {"PATH": str(tools)}} for a, package in names.items()}
    )
    found = shell("doctor", "--no-connect", "--json").json
    (warning,) = [each for each in found if "newest version" in each["detail"]]
    assert warning["outcome"] == "warning"
    assert warning["detail"].endswith(": loose (`npx server`), open (`npx other`)")


def test_a_pinned_name_that_leads_nowhere_is_told_with_its_like(shell: Shell) -> None:
    shell.configure({"demo": shell.server()}, pinned=["demo__echoo", "demo__echo"])
    warnings = [each for each in shell("doctor", "--json").json if each["subject"] == "pinned"]
    assert len(warnings) == 1
    assert "`demo__echoo`" in warnings[0]["detail"]
    assert "demo__echo?" in warnings[0]["detail"] or "demo__echo or" in warnings[0]["detail"]


def test_the_last_words_of_a_server_are_whole_where_no_terminal_is(shell: Shell) -> None:
    words = "the database says " + "no " * 100 + "FOR GOOD"
    code = f"import sys; sys.exit({words!r})"
    shell.configure({"dead": {"command": sys.executable, "args": ["-c", code]}})
    assert "FOR GOOD" in shell("doctor").out
    assert "FOR GOOD" in shell("list").out
    (line,) = [line for line in shell("list").out.splitlines() if line.startswith("dead")]
    assert "…" not in line

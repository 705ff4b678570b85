from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Shell


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

"""logs: what was logged, filtered by server, part and level."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Shell

RECORDS = [
    ("info", "app", "server git is running"),
    ("info", "upstream.keeper", "git-tools was not listed: it ended"),
    ("warning", "server.tool_calls", "git__git_log: it did not answer"),
    ("info", "daemon.service", "daemon 12 ended"),
    ("error", "upstream_of_another.kind", "nothing of ours"),
]


@pytest.fixture
def logged(shell: Shell, tmp_path: Path) -> Shell:
    file = tmp_path / "home" / "logs" / "toolrouter.log"
    file.parent.mkdir(parents=True)
    records = [
        {"time": "2026-01-31T12:00:00.000+00:00", "level": level, "logger": f"toolrouter.{part}", "message": message}
        for level, part, message in RECORDS
    ]
    file.write_text("no record\n" + "".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")
    return shell


def messages(shell: Shell, *words: str) -> list[str]:
    return [json.loads(line)["message"] for line in shell("logs", "--json", *words).out.splitlines()]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--server", "git"], ["server git is running", "git__git_log: it did not answer"]),
        (["-s", "git-tools,nobody"], ["git-tools was not listed: it ended"]),
        (["--part", "upstream"], ["git-tools was not listed: it ended"]),
        (["--part", "app,daemon"], ["server git is running", "daemon 12 ended"]),
        (["--level", "warning"], ["git__git_log: it did not answer", "nothing of ours"]),
        (["-s", "git", "-n", "1"], ["git__git_log: it did not answer"]),
        (["-s", "git", "--part", "app", "--level", "Info"], ["server git is running"]),
    ],
)
def test_filters_leave_what_was_asked_for(logged: Shell, words: list[str], wanted: list[str]) -> None:
    assert messages(logged, *words) == wanted


def test_without_filters_all_is_shown_for_people(logged: Shell) -> None:
    lines = logged("logs").out.splitlines()
    assert lines[0] == "no record"
    assert lines[3].endswith("warning server.tool_calls  git__git_log: it did not answer")
    assert len(lines) == len(RECORDS) + 1


def test_a_filter_that_leaves_nothing_or_means_nothing_says_so(logged: Shell) -> None:
    assert "Nothing of that stands in" in logged("logs", "--server", "nobody").err
    found = logged("logs", "--level", "loud")
    assert (found.status, "expected one of debug, info" in found.err) == (2, True)

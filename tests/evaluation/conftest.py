from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from toolrouter.cli.main import run as run_command_line

TOOLS = (
    ("files", "read_file", "Read the contents of a text file"),
    ("files", "delete_file", "Delete a file for good"),
    ("git", "git_commit", "Record staged changes in the repository"),
    ("git", "git_log", "Show the history of commits"),
    ("mail", "send_email", "Send an e-mail to somebody"),
    ("mail", "search_inbox", "Search the inbox for messages"),
    ("calendar", "create_event", "Create an event in the calendar"),
    ("calendar", "list_events", "List the events of a day"),
)
QUERIES: tuple[dict[str, Any], ...] = (
    {"id": "1", "query": "read a text file", "relevant": ["files/read_file"], "kind": "exact"},
    {"id": "2", "query": "delete a file", "relevant": ["files/delete_file"], "kind": "exact"},
    {"id": "3", "query": "commit staged changes", "relevant": ["git/git_commit"], "kind": "exact"},
    {"id": "4", "query": "history of commits", "relevant": ["git/git_log"], "kind": "task"},
    {
        "id": "5",
        "query": "search the inbox and send an e-mail",
        "relevant": ["mail/search_inbox", "mail/send_email"],
        "subqueries": ["search the inbox", "send an e-mail"],
        "kind": "multi",
    },
    {"id": "6", "query": "liste de événements", "relevant": ["calendar/list_events"], "kind": "lang:fr"},
    {"id": "7", "query": "water the plants", "relevant": [], "kind": "none"},
)


def write_lines(path: Path, rows: Sequence[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def tools_file(tmp_path: Path) -> Path:
    rows = [
        {"id": f"{server}/{name}", "server": server, "name": name, "description": text, "input_schema": None}
        for server, name, text in TOOLS
    ]
    return write_lines(tmp_path / "tools.jsonl", rows)


@pytest.fixture
def queries_file(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "queries.jsonl", QUERIES)


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs a command line in an empty home; returns its status, stdout and stderr."""
    monkeypatch.setenv("TOOLROUTER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TOOLROUTER_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = run_command_line([str(each) for each in arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run

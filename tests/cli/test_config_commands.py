"""init, import, add, remove: what happens to the file a person wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from toolrouter.settings_file import load_settings, read_config


def servers(path: Path) -> dict[str, object]:
    found: dict[str, object] = read_config(path).document["mcpServers"]
    return found


@pytest.mark.parametrize("name", ["new.json", "new.toml"])
def test_init_writes_a_config_that_can_be_used_and_grown(shell: Shell, name: str) -> None:
    path = shell.folder / "deep" / name
    found = shell("init", config=path)
    assert (found.status, found.out) == (0, f"{path}\n")
    assert load_settings(path, {}).settings.router.search.k == 8
    assert shell("add", "time", "uvx mcp-server-time", config=path).status == 0
    assert load_settings(path, {}).settings.servers["time"].args == ("mcp-server-time",)
    assert "The servers that toolrouter stands for" in path.read_text(encoding="utf-8")


def test_init_replaces_nothing_unless_told_to(shell: Shell) -> None:
    before = shell.config.read_bytes()
    assert shell("init").status == 1
    assert shell.config.read_bytes() == before
    assert shell("init", "--force").status == 0
    assert shell.config.with_name("toolrouter.json.bak").read_bytes() == before


def test_what_several_commands_add_at_once_is_all_kept(shell: Shell) -> None:
    words = [sys.executable, "-m", "toolrouter", "add", "--config", str(shell.config)]
    environ = {**os.environ, "TOOLROUTER_HOME": str(shell.folder / "home")}
    adding = [
        subprocess.Popen(
            [*words, f"s{n}", "--", f"command-{n}"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for n in range(4)
    ]
    for each in adding:
        each.communicate(timeout=60)
    assert [each.returncode for each in adding] == [0, 0, 0, 0]
    assert {"s0", "s1", "s2", "s3"} <= set(servers(shell.config))


def test_add_takes_a_command_behind_two_dashes(shell: Shell) -> None:
    found = shell("add", "fs", "--env", "A=b=c", "--cwd", "/x", "--", "npx", "-y", "server-filesystem", "--flag", "/x")
    assert found.status == 0
    assert servers(shell.config)["fs"] == {
        "command": "npx",
        "args": ["-y", "server-filesystem", "--flag", "/x"],
        "env": {"A": "b=c"},
        "cwd": "/x",
    }
    assert "toolrouter index fs" in found.err


def test_add_takes_a_url_with_headers(shell: Shell) -> None:
    words = ("--header", "Authorization=Bearer ${TOKEN}", "-H", "X-Team: a b", "--type", "sse")
    assert shell("add", "docs", "https://example.com/sse", *words).status == 0
    assert servers(shell.config)["docs"] == {
        "url": "https://example.com/sse",
        "type": "sse",
        "headers": {"Authorization": "Bearer ${TOKEN}", "X-Team": "a b"},
    }


def test_add_starts_a_config_where_there_is_none(shell: Shell) -> None:
    path = shell.folder / "none-yet.json"
    assert shell("add", "a", "--", "x", config=path).status == 0
    assert servers(path) == {"a": {"command": "x", "args": []}}


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("demo", "--", "x"), 1, "has a server `demo` already"),
        (("a b", "--", "x"), 1, "Call it `a-b`"),
        (("a", "ftp://h"), 2, "expected http:// or https://"),
        (("a", "https://h", "--env", "A=b"), 2, "a URL takes --header"),
        (("a", "--header", "A=b", "--", "x"), 2, "a command takes --env"),
        (("a", "--env", "A", "--", "x"), 2, "expected NAME=VALUE"),
        (("a", "https://h", "--type", "grpc"), 2, "expected sse or http"),
        (("a",), 2, "TARGET"),
        (("a", "localhost:8080/mcp"), 2, "did you mean http://localhost:8080/mcp?"),
        (("a", "mcp.example.com/mcp", "--header", "A=b"), 2, "did you mean https://mcp.example.com/mcp?"),
    ],
)
def test_what_add_cannot_use_changes_nothing(shell: Shell, words: tuple[str, ...], status: int, said: str) -> None:
    before = shell.config.read_bytes()
    found = shell("add", *words)
    assert found.status == status
    assert said in found.err
    assert shell.config.read_bytes() == before


def test_a_program_that_is_called_like_an_address_can_be_added(shell: Shell) -> None:
    program = shell.folder / "tools.d" / "serve"
    program.parent.mkdir()
    program.touch()
    assert shell("add", "a", "--cwd", str(shell.folder), "--", "tools.d/serve").status == 0
    assert shell("add", "b", "--", "server.py").status == 0


def test_remove_takes_servers_out_all_or_none(shell: Shell) -> None:
    shell.configure({"alpha": {"command": "x"}, "beta": {"command": "y"}})
    before = shell.config.read_bytes()
    found = shell("remove", "alpha", "bta")
    assert found.status == 1
    assert "has no server `bta`. Did you mean `beta`?" in found.err
    assert shell.config.read_bytes() == before
    assert shell("remove", "alpha", "beta").status == 0
    assert servers(shell.config) == {}


def test_import_takes_over_what_is_free_and_leaves_the_file_alone(shell: Shell) -> None:
    shell.configure({"same": {"command": "s"}, "clash": {"command": "ours"}})
    theirs = shell.folder / "claude_desktop_config.json"
    block = {
        "new": {"command": "n", "env": {"K": "v"}},
        "same": {"command": "s"},
        "clash": {"command": "theirs"},
        "My Files": {"command": "f"},
        "router": {"command": "toolrouter", "args": ["serve"]},
    }
    theirs.write_text(json.dumps({"mcpServers": block}), encoding="utf-8")
    before = theirs.read_bytes()
    found = shell("import", str(theirs))
    assert found.status == 0
    assert found.out.split() == ["new", "My-Files"]
    assert "clash: both files have a server of this name" in found.err
    assert "router: left out, it is toolrouter itself" in found.err
    assert "2 taken over, 1 were there already, 1 left out" in found.err
    assert theirs.read_bytes() == before
    assert servers(shell.config)["clash"] == {"command": "ours"}
    assert servers(shell.config)["new"] == {"command": "n", "env": {"K": "v"}}
    assert shell("import", str(theirs), "--replace").status == 0
    assert servers(shell.config)["clash"] == {"command": "theirs"}


def test_import_of_a_file_without_servers_says_so(shell: Shell) -> None:
    theirs = shell.folder / "other.json"
    theirs.write_text("{}", encoding="utf-8")
    found = shell("import", str(theirs))
    assert found.status == 1
    assert "holds no servers" in found.err


def test_a_broken_config_is_left_as_it_is(shell: Shell) -> None:
    shell.config.write_text('{"mcpServers": {', encoding="utf-8")
    for words in (("add", "a", "--", "x"), ("remove", "a"), ("list",), ("index",), ("serve",)):
        found = shell(*words) if words[0] != "serve" else shell("list", "--json")
        assert found.status == 1
        assert "line 1, column 17" in found.err
        assert found.out == ""
    assert shell.config.read_text(encoding="utf-8") == '{"mcpServers": {'

"""What a person hid in a host stays hidden when the servers have moved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.conftest import put
from tests.hosts.test_moving import GIT, Machine, machine
from toolrouter.settings_file import load_settings, parse_config, read_config
from toolrouter.settings_file.edit import with_options

__all__ = ["machine"]


def options(machine: Machine) -> dict[str, Any]:
    document = read_config(machine.config).document
    found: dict[str, Any] = document.get("toolrouter", {}).get("servers", {})
    return found


CODEX = """[mcp_servers.git]
command = "uvx"
args = ["mcp-server-git"]
enabled_tools = ["git_log", "git_status"]
disabled_tools = ["git_status"]
"""


@pytest.mark.parametrize(
    ("host", "text", "expected"),
    [
        ("codex", CODEX, {"allow": ["git_log", "git_status"], "deny": ["git_status"]}),
        (
            "gemini-cli",
            json.dumps({"mcpServers": {"git": {**GIT, "includeTools": ["a(x)"], "excludeTools": ["b"]}}}),
            {"allow": ["a"], "deny": ["b"]},
        ),
        (
            "windsurf",
            json.dumps({"mcpServers": {"git": {**GIT, "disabledTools": ["a", "b*"]}}}),
            {"deny": ["a", "b[*]"]},
        ),
        ("copilot-cli", json.dumps({"mcpServers": {"git": {**GIT, "tools": ["git_log"]}}}), {"allow": ["git_log"]}),
        ("copilot-cli", json.dumps({"mcpServers": {"git": {**GIT, "tools": ["*"]}}}), None),
        (
            "opencode",
            json.dumps(
                {
                    "mcp": {"git": {"type": "local", "command": ["uvx", "mcp-server-git"]}},
                    "tools": {"git_git_push": False, "other_x": False, "bash": False},
                }
            ),
            {"deny": ["git_push"]},
        ),
        (
            "opencode",
            json.dumps(
                {
                    "mcp": {"git": {"type": "local", "command": ["uvx", "mcp-server-git"]}},
                    "tools": {"git*": False, "git_git_log": True},
                }
            ),
            {"allow": ["git_log"]},
        ),
        ("vscode", json.dumps({"servers": {"git": GIT}}), None),
    ],
)
def test_lists_of_tools_become_allow_and_deny(
    machine: Machine, host: str, text: str, expected: dict[str, Any] | None
) -> None:
    put(machine.around, host, text)
    plan = machine.install(host)
    assert machine.servers == {"git": GIT}
    assert options(machine) == ({} if expected is None else {"git": expected})
    assert bool(plan.hosts[0].notes) == (expected is not None)
    load_settings(machine.config)
    assert not machine.plan(host).changes
    assert machine.uninstall(host)


@pytest.mark.parametrize(
    ("host", "beside", "rules"),
    [
        ("claude-code", ".claude/settings.json", ["mcp__my_git__git_push", "mcp__other", "Bash(rm:*)", 7]),
        ("cursor", ".cursor/cli-config.json", ["Mcp(my git:git_push)", "Mcp(other:*)", "Shell(rm)"]),
    ],
)
def test_rules_of_permission_that_forbid_a_tool_go_along(
    machine: Machine, host: str, beside: str, rules: list[Any]
) -> None:
    put(machine.around, host, json.dumps({"mcpServers": {"my git": GIT, "other": {"url": "https://example.com/mcp"}}}))
    path = machine.around.home / beside
    path.parent.mkdir(exist_ok=True)
    text = json.dumps({"permissions": {"allow": ["mcp__my_git__git_log"], "deny": rules}})
    path.write_text(text, encoding="utf-8")
    machine.install(host)
    assert options(machine) == {"my-git": {"deny": ["git_push"]}, "other": {"deny": ["*"]}}
    assert path.read_text(encoding="utf-8") == text


def test_two_hosts_filters_are_joined_and_what_a_person_chose_in_the_config_stays(machine: Machine) -> None:
    put(machine.around, "windsurf", json.dumps({"mcpServers": {"git": {**GIT, "disabledTools": ["a"]}}}))
    put(machine.around, "kiro", json.dumps({"mcpServers": {"git": {**GIT, "disabledTools": ["b"]}}}))
    machine.install("windsurf", "kiro")
    assert options(machine) == {"git": {"deny": ["b", "a"]}}
    put(machine.around, "amazon-q", json.dumps({"mcpServers": {"git": {**GIT, "disabledTools": ["c"]}}}))
    plan = machine.install("amazon-q")
    assert options(machine) == {"git": {"deny": ["b", "a"]}}
    assert "says already what is shown" in plan.hosts[0].notes[0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.json", '{\n  // mine\n  "mcpServers": {"a": {"command": "x"}},\n}\n'),
        ("c.json", '{"toolrouter": {"servers": {"a": {"about": "x"}, "b": {}}}}'),
        ("c.toml", '# mine\n[mcpServers.a]\ncommand = "x"\n'),
        ("c.toml", '[toolrouter.servers.a]  # mine\nabout = "x"\n\n[toolrouter.servers.b]\nabout = "y"\n'),
    ],
)
def test_settings_of_servers_are_written_into_what_is_there(tmp_path: Path, name: str, text: str) -> None:
    file = parse_config(tmp_path / name, text)
    after = with_options(file, {"a": {"allow": ["p"], "deny": ["q", "r"]}})
    document = parse_config(tmp_path / name, after).document
    own = document["toolrouter"]["servers"].pop("a")
    assert {key: own.pop(key) for key in ("allow", "deny")} == {"allow": ["p"], "deny": ["q", "r"]}
    assert ("mine" in text) == ("mine" in after)
    assert own in ({}, {"about": "x"})

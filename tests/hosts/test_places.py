from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts.conftest import put
from toolrouter.hosts.places import HOSTS, Surroundings, present_hosts

MAC, WIN, LIN = "Library/Application Support", "AppData/Roaming", ".config"


@pytest.mark.parametrize(
    ("host", "places"),
    [
        ("claude-desktop", {p: f"{p}/Claude/claude_desktop_config.json" for p in (MAC, WIN, LIN)}),
        ("vscode", {p: f"{p}/Code/User/mcp.json" for p in (MAC, WIN, LIN)}),
        ("claude-code", dict.fromkeys((MAC, WIN, LIN), ".claude.json")),
        ("cursor", dict.fromkeys((MAC, WIN, LIN), ".cursor/mcp.json")),
        ("windsurf", dict.fromkeys((MAC, WIN, LIN), ".codeium/windsurf/mcp_config.json")),
        ("codex", dict.fromkeys((MAC, WIN, LIN), ".codex/config.toml")),
        ("gemini-cli", dict.fromkeys((MAC, WIN, LIN), ".gemini/settings.json")),
        ("zed", {MAC: ".config/zed/settings.json", WIN: f"{WIN}/Zed/settings.json", LIN: ".config/zed/settings.json"}),
    ],
)
def test_each_host_is_found_where_its_platform_keeps_it(
    around: Surroundings, host: str, places: dict[str, str]
) -> None:
    mine = {"darwin": MAC, "win32": WIN, "linux": LIN}[around.platform]
    assert HOSTS[host].config_file(around) == around.home / places[mine]


def test_a_host_is_present_when_its_file_or_its_own_folder_exists(around: Surroundings) -> None:
    assert present_hosts(around) == []
    put(around, "claude-code", "{}")
    (around.home / ".cursor").mkdir()
    assert [host.id for host in present_hosts(around)] == ["claude-code", "cursor"]


def test_folders_that_the_environment_moves_are_followed(tmp_path: Path) -> None:
    moved = {"CODEX_HOME": str(tmp_path / "c"), "CLAUDE_CONFIG_DIR": str(tmp_path / "d"), "XDG_CONFIG_HOME": "/x"}
    moved |= {"COPILOT_HOME": str(tmp_path / "e"), "CLINE_MCP_SETTINGS_PATH": str(tmp_path / "f.json")}
    around = Surroundings("linux", tmp_path, moved)
    assert HOSTS["codex"].config_file(around) == tmp_path / "c" / "config.toml"
    assert HOSTS["claude-code"].config_file(around) == tmp_path / "d" / ".claude.json"
    assert HOSTS["copilot-cli"].config_file(around) == tmp_path / "e" / "mcp-config.json"
    assert HOSTS["cline"].config_file(around) == tmp_path / "f.json"
    assert HOSTS["zed"].config_file(around) == Path("/x/zed/settings.json")


@pytest.mark.parametrize(
    ("host", "sign", "newer"),
    [
        ("claude-desktop", "AppData/Local/Packages/Claude_x1", "LocalCache/Roaming/Claude/claude_desktop_config.json"),
        ("cline", ".cline", "data/settings/cline_mcp_settings.json"),
    ],
)
def test_newer_versions_keep_their_file_elsewhere(around: Surroundings, host: str, sign: str, newer: str) -> None:
    usual = HOSTS[host].config_file(around)
    (around.home / sign).mkdir(parents=True)
    assert [each.id for each in present_hosts(around)] == [host]
    assert HOSTS[host].config_file(around) == around.home / sign / newer
    put_at(usual)
    assert HOSTS[host].config_file(around) == usual, "it is read as long as there is no other"
    put_at(around.home / sign / newer)
    assert HOSTS[host].config_file(around) == around.home / sign / newer


def test_a_file_of_opencode_with_comments_is_the_one_that_is_edited(around: Surroundings) -> None:
    usual = put(around, "opencode", "{}")
    put_at(usual.with_suffix(".jsonc"))
    assert HOSTS["opencode"].config_file(around) == usual.with_suffix(".jsonc")


def put_at(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")

"""Installing and uninstalling, on the files of each host as people have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.conftest import Keys, put
from toolrouter.errors import ConfigError
from toolrouter.hosts.block import read_host_file
from toolrouter.hosts.moving import Launch, Plan, carry_out, plan_installation, plan_return, return_host
from toolrouter.hosts.places import HOSTS, Surroundings
from toolrouter.settings_file import load_settings, parse_config, read_config

LAUNCH = Launch(["/bin/toolrouter", "serve", "--config", "/c/toolrouter.json"])
OURS = {"command": "/bin/toolrouter", "args": ["serve", "--config", "/c/toolrouter.json"]}


class Machine:
    """One person's machine: hosts' files, toolrouter's config and its state."""

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self.state = around.home / "state"
        self.config = around.home / "toolrouter.json"

    def plan(self, *hosts: str, use_keyring: bool = False, launch: Launch = LAUNCH) -> Plan:
        files = [read_host_file(HOSTS[host], HOSTS[host].config_file(self.around)) for host in hosts]
        ours = read_config(self.config) if self.config.exists() else parse_config(self.config, "{}\n")
        return plan_installation(files, ours, launch, use_keyring=use_keyring)

    def install(self, *hosts: str, use_keyring: bool = False, launch: Launch = LAUNCH) -> Plan:
        plan = self.plan(*hosts, use_keyring=use_keyring, launch=launch)
        carry_out(plan, self.state)
        return plan

    def uninstall(self, host: str) -> bool:
        """Whether the file came back byte for byte."""
        plan = plan_return(HOSTS[host], HOSTS[host].config_file(self.around), self.state)
        return_host(plan, self.state)
        return plan.exact

    @property
    def servers(self) -> dict[str, Any]:
        found: dict[str, Any] = read_config(self.config).document["mcpServers"]
        return found


@pytest.fixture
def machine(around: Surroundings) -> Machine:
    return Machine(around)


GIT = {"command": "uvx", "args": ["mcp-server-git"]}
BY_HAND = """\ufeff{\r
\t// mine\r
\t"globalShortcut": "Ctrl+Space",   /* keep */\r
\t"mcpServers": {\r
\t\t// the good ones\r
\t\t"git": {"command": "uvx", "args": ["mcp-server-git"]},\r
\t\t"web": { "url": "https://example.com/mcp" }, // remote\r
\t},\r
\t"unknown": {"b": 1, "a": [1,2 , 3]},\r
}\r
"""


def test_what_a_person_wrote_around_the_servers_survives(machine: Machine) -> None:
    path = put(machine.around, "claude-desktop", BY_HAND)
    machine.install("claude-desktop")
    text = path.read_bytes().decode()
    head, tail = BY_HAND.split('"mcpServers": {')[0], BY_HAND.split('},\r\n\t"unknown"')[1]
    assert text.startswith(head)
    assert text.endswith('},\r\n\t"unknown"' + tail)
    assert "\n" not in text.replace("\r\n", "")
    assert read_config(path).document["mcpServers"] == {"toolrouter": OURS}
    assert machine.servers == {"git": GIT, "web": {"url": "https://example.com/mcp"}}


HOST_FILES = {
    "claude-desktop": BY_HAND,
    "claude-code": '{"numStartups": 3, "mcpServers": {"git": {"type": "stdio", "command": "uvx", "args": '
    '["mcp-server-git"], "env": {}}}, "projects": {"/x": {"mcpServers": {}}}}',
    "cursor": '{\n  "mcpServers": {\n    "git": {"command": "uvx", "args": ["mcp-server-git"]}\n  }\n}\n',
    "vscode": '{"servers": {"git": {"type": "stdio", "command": "uvx", "args": ["mcp-server-git"]}}, "inputs": []}',
    "windsurf": '{"mcpServers": {"git": {"command": "uvx", "args": ["mcp-server-git"], "disabledTools": []}}}',
    "codex": '# mine\nmodel = "o9"\n\n[mcp_servers.git]\ncommand = "uvx"\nargs = ["mcp-server-git"]\n\n[tui]\nx = 1\n',
    "zed": '// Zed\n{"vim_mode": true, "context_servers": {"git": {"command": {"path": "uvx", '
    '"args": ["mcp-server-git"]}, "settings": {}}}}',
    "gemini-cli": '{"theme": "x", "mcpServers": {"git": {"command": "uvx", "args": ["mcp-server-git"]}}}',
    "opencode": '{"mcp": {"git": {"type": "local", "command": ["uvx", "mcp-server-git"], "enabled": true}}}',
    "cline": '{"mcpServers": {"git": {"command": "uvx", "args": ["mcp-server-git"], "autoApprove": ["x"]}}}',
    "copilot-cli": '{"mcpServers": {"git": {"type": "local", "command": "uvx", "args": '
    '["mcp-server-git"], "tools": ["*"]}}}',
}


@pytest.mark.parametrize("host", HOST_FILES)
def test_a_file_comes_back_byte_for_byte_from_every_host(machine: Machine, host: str) -> None:
    path = put(machine.around, host, HOST_FILES[host])
    machine.install(host)
    assert path.read_bytes() != HOST_FILES[host].encode()
    assert b"mcp-server-git" not in path.read_bytes()
    assert load_settings(machine.config, {}).settings.servers["git"].args == ("mcp-server-git",)
    assert machine.uninstall(host)
    assert path.read_bytes() == HOST_FILES[host].encode()
    assert not list((machine.state / "installs").iterdir())


@pytest.mark.parametrize("host", HOST_FILES)
def test_installing_twice_changes_nothing(machine: Machine, host: str) -> None:
    path = put(machine.around, host, HOST_FILES[host])
    machine.install(host)
    before = path.read_bytes(), machine.config.read_bytes()
    again = machine.install(host)
    assert not again.changes
    assert (path.read_bytes(), machine.config.read_bytes()) == before


def test_each_host_gets_an_entry_in_its_own_form(machine: Machine) -> None:
    for host in HOSTS:
        machine.install(host)
    written = {host: read_config(HOSTS[host].config_file(machine.around)).document for host in HOSTS}
    assert written["cursor"] == {"mcpServers": {"toolrouter": OURS}}
    assert written["vscode"] == {"servers": {"toolrouter": {"type": "stdio", **OURS}}}
    assert written["codex"] == {"mcp_servers": {"toolrouter": OURS}}
    assert written["zed"] == {"context_servers": {"toolrouter": {"source": "custom", **OURS, "env": {}}}}
    words = [OURS["command"], *OURS["args"]]
    assert written["opencode"] == {"mcp": {"toolrouter": {"type": "local", "command": words}}}


def test_a_file_that_was_not_there_is_gone_again_after_uninstalling(machine: Machine) -> None:
    path = HOSTS["cursor"].config_file(machine.around)
    machine.install("cursor")
    assert path.exists()
    assert machine.uninstall("cursor")
    assert not path.exists()


@pytest.mark.parametrize("data", [b"", b"\n", b"{}", b'{"mcpServers": {}}'])
def test_an_empty_file_is_filled_and_empty_again_after_uninstalling(machine: Machine, data: bytes) -> None:
    path = put(machine.around, "cursor", data)
    machine.install("cursor")
    assert read_config(path).document == {"mcpServers": {"toolrouter": OURS}}
    assert machine.uninstall("cursor")
    assert path.read_bytes() == data


def test_a_file_edited_since_keeps_the_edit_and_gets_its_servers_back(machine: Machine) -> None:
    path = put(machine.around, "cursor", '{"mcpServers": {"git": {"command": "uvx", "args": ["mcp-server-git"]}}}')
    machine.install("cursor")
    document = json.loads(path.read_text())
    document["mcpServers"]["new"] = {"command": "new"}
    path.write_text("// edited\n" + json.dumps(document))
    assert not machine.uninstall("cursor")
    assert path.read_text().startswith("// edited\n")
    assert read_config(path).document == {"mcpServers": {"git": GIT, "new": {"command": "new"}}}
    assert list((machine.state / "installs").glob("*.before")), (
        "the bytes from before are kept when they did not return"
    )


def test_servers_added_after_installing_move_with_the_next_one_and_all_come_back(machine: Machine) -> None:
    path = put(machine.around, "cursor", HOST_FILES["cursor"])
    machine.install("cursor")
    document = json.loads(path.read_text())
    document["mcpServers"]["new"] = {"command": "new"}
    path.write_text(json.dumps(document))
    machine.install("cursor")
    assert read_config(path).document == {"mcpServers": {"toolrouter": OURS}}
    assert set(machine.servers) == {"git", "new"}
    machine.uninstall("cursor")
    assert read_config(path).document == {"mcpServers": {"git": GIT, "new": {"command": "new"}}}


def test_what_a_person_added_to_our_entry_survives_another_installation(machine: Machine) -> None:
    entry = {**OURS, "args": ["serve"], "timeout": 60}
    path = put(machine.around, "cursor", json.dumps({"mcpServers": {"router": entry}}))
    machine.install("cursor")
    assert read_config(path).document == {"mcpServers": {"router": {**OURS, "timeout": 60}}}


def test_without_a_record_only_our_entry_is_taken_out(machine: Machine) -> None:
    path = put(machine.around, "cursor", json.dumps({"mcpServers": {"toolrouter": OURS, "git": GIT}}))
    assert not machine.uninstall("cursor")
    assert read_config(path).document == {"mcpServers": {"git": GIT}}


def test_the_same_server_in_two_hosts_is_one_and_different_ones_get_a_suffix(machine: Machine) -> None:
    put(machine.around, "cursor", json.dumps({"mcpServers": {"git": GIT, "db": {"command": "one"}}}))
    same = {"git": {"type": "stdio", **GIT, "env": {}}, "db": {"type": "stdio", "command": "two"}}
    put(machine.around, "vscode", json.dumps({"servers": same}))
    machine.install("cursor", "vscode")
    assert machine.servers == {"git": GIT, "db": {"command": "one"}, "db-vscode": {"command": "two"}}
    for host in ("cursor", "vscode"):
        machine.uninstall(host)
    assert not machine.install("cursor", "vscode").added, "nothing is taken over a second time"


def test_servers_that_only_the_host_can_start_stay_with_it(machine: Machine) -> None:
    asks = {"type": "stdio", "command": "x", "env": {"KEY": "${input:key}"}}
    here = {"type": "stdio", "command": "x", "args": ["${workspaceFolder}"]}
    path = put(machine.around, "vscode", json.dumps({"servers": {"asks": asks, "here": here, "git": GIT}}))
    plan = machine.install("vscode")
    assert read_config(path).document["servers"] == {
        "toolrouter": {"type": "stdio", **OURS},
        "asks": asks,
        "here": here,
    }
    assert set(machine.servers) == {"git"}
    assert "only VS Code knows" in plan.hosts[0].servers.left["asks"]
    assert not machine.install("vscode").changes


def test_headers_of_codex_become_ours(machine: Machine) -> None:
    text = '[mcp_servers.a]\nurl = "https://h/mcp"\nbearer_token_env_var = "A_TOKEN"\nenabled = false\n'
    put(machine.around, "codex", text + '[mcp_servers.a.env_http_headers]\nX-Team = "TEAM"\n')
    machine.install("codex")
    headers = {"X-Team": "${TEAM}", "Authorization": "Bearer ${A_TOKEN}"}
    assert machine.servers == {"a": {"url": "https://h/mcp", "headers": headers, "disabled": True}}


def test_a_server_given_a_folder_called_toolrouter_is_not_taken_for_toolrouter(machine: Machine) -> None:
    files = {"command": "npx", "args": ["-y", "server-filesystem", "/src/toolrouter"]}
    put(machine.around, "cursor", json.dumps({"mcpServers": {"fs": files}}))
    machine.install("cursor")
    assert machine.servers == {"fs": files}


def test_a_file_changed_between_plan_and_writing_is_left_alone(machine: Machine) -> None:
    path = put(machine.around, "cursor", HOST_FILES["cursor"])
    plan = machine.plan("cursor")
    path.write_text("{}")
    with pytest.raises(ConfigError, match="changed by another program"):
        carry_out(plan, machine.state)
    assert path.read_text() == "{}"


@pytest.mark.parametrize("text", ['{"mcpServers": [1]}', "{", "\x80"])
def test_a_file_that_cannot_be_read_is_left_alone(machine: Machine, text: str) -> None:
    path = put(machine.around, "cursor", text.encode("latin-1"))
    with pytest.raises(ConfigError):
        machine.install("cursor")
    assert path.read_bytes() == text.encode("latin-1")


def test_a_link_to_a_file_stays_a_link(machine: Machine) -> None:
    real = machine.around.home / "dotfiles.json"
    real.write_text(HOST_FILES["cursor"])
    path = put(machine.around, "cursor", "")
    path.unlink()
    path.symlink_to(real)
    machine.install("cursor")
    assert path.is_symlink()
    assert "toolrouter" in real.read_text()
    assert machine.uninstall("cursor")
    assert real.read_text() == HOST_FILES["cursor"]


SECRET = {"command": "x", "env": {"API_TOKEN": "hush"}}


def test_secrets_go_into_the_keyring_and_are_resolved_from_there(machine: Machine, keys: Keys) -> None:
    put(machine.around, "cursor", json.dumps({"mcpServers": {"a": SECRET}}))
    machine.install("cursor", use_keyring=True)
    assert machine.servers["a"]["env"] == {"API_TOKEN": "${keyring:toolrouter/a.API_TOKEN}"}
    assert keys["a.API_TOKEN"] == "hush"
    assert load_settings(machine.config, {}).settings.servers["a"].env == {"API_TOKEN": "hush"}


def test_a_server_whose_secret_is_in_the_keyring_already_is_the_same_server(machine: Machine, keys: Keys) -> None:
    for host in ("cursor", "windsurf"):
        put(machine.around, host, json.dumps({"mcpServers": {"a": SECRET}}))
        machine.install(host, use_keyring=True)
    assert set(machine.servers) == {"a"}
    put(machine.around, "kiro", json.dumps({"mcpServers": {"a": {**SECRET, "env": {"API_TOKEN": "other"}}}}))
    machine.install("kiro", use_keyring=True)
    assert keys["a-kiro.API_TOKEN"] == "other"


def test_a_secret_in_the_keyring_is_never_overwritten_by_another(machine: Machine, keys: Keys) -> None:
    keys.entries["toolrouter", "a.API_TOKEN"] = "of another config"
    put(machine.around, "cursor", json.dumps({"mcpServers": {"a": SECRET}}))
    machine.install("cursor", use_keyring=True)
    assert keys["a.API_TOKEN"] == "of another config"
    assert keys["a.API_TOKEN-2"] == "hush"


def test_backups_are_for_their_owner_only(machine: Machine) -> None:
    put(machine.around, "cursor", HOST_FILES["cursor"])
    machine.install("cursor")
    kept: list[Path] = list((machine.state / "installs").iterdir())
    assert {path.stat().st_mode & 0o077 for path in kept} == {0}


@pytest.mark.parametrize("servers", ['{"git": {"type": "local", "command": ["uvx", "mcp-server-git"]}}', "{}"])
def test_a_file_of_opencode_2_keeps_its_servers_one_level_deeper(machine: Machine, servers: str) -> None:
    text = f'{{\n  // mine\n  "mcp": {{"timeout": 5, "servers": {servers}}}\n}}\n'
    path = put(machine.around, "opencode", text)
    machine.install("opencode")
    entry = {"type": "local", "command": [OURS["command"], *OURS["args"]]}
    assert read_config(path).document == {"mcp": {"timeout": 5, "servers": {"toolrouter": entry}}}
    assert not machine.install("opencode").changes
    assert machine.uninstall("opencode")
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("host", "entry"),
    [
        ("vscode", {"type": "http", "url": "unix:///tmp/x.sock"}),
        ("claude-code", {"type": "http", "url": "https://x/mcp", "headersHelper": "/bin/token"}),
        ("claude-code", {"type": "ws", "url": "wss://x/mcp"}),
        ("gemini-cli", {"httpUrl": "https://x/mcp", "authProviderType": "google_credentials"}),
    ],
)
def test_a_server_that_only_its_host_can_reach_stays_there(
    machine: Machine, host: str, entry: dict[str, object]
) -> None:
    put(machine.around, host, json.dumps({HOSTS[host].key: {"x": entry}}))
    (plan,) = machine.plan(host).hosts
    assert list(plan.servers.left) == ["x"]
    assert json.loads(plan.after)[HOSTS[host].key]["x"] == entry


def test_variables_of_gemini_within_a_text_are_found(machine: Machine) -> None:
    headers = {"Authorization": "Bearer $G_TOKEN", "X-Price": "5$ a$b"}
    put(
        machine.around,
        "gemini-cli",
        json.dumps({"mcpServers": {"g": {"httpUrl": "https://g/mcp", "headers": headers}}}),
    )
    machine.install("gemini-cli")
    for environ, sent in ({"G_TOKEN": "t"}, "Bearer t"), ({}, "Bearer $G_TOKEN"):
        loaded = load_settings(machine.config, environ).settings.servers["g"]
        assert loaded.headers == {"Authorization": sent, "X-Price": "5$ a$b"}


def test_variables_that_codex_passes_on_are_passed_on_by_us(machine: Machine) -> None:
    text = '[mcp_servers.a]\ncommand = "a"\nenv_vars = ["A_TOKEN", { name = "B" }]\nenv = { C = "1" }\n'
    put(machine.around, "codex", text)
    machine.install("codex")
    assert machine.servers["a"] == {"command": "a", "env": {"A_TOKEN": "${A_TOKEN}", "B": "${B}", "C": "1"}}

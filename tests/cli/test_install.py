"""install and uninstall as a person types them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from tests.hosts.conftest import Keys, keys, no_keys  # noqa: F401 - fixtures
from toolrouter.errors import ConfigError
from toolrouter.hosts.places import HOSTS, Surroundings
from toolrouter.settings_file import read_config

TOKEN = "ghp_0123456789abcdefghij"
CURSOR = {"mcpServers": {"git hub": {"command": "npx", "args": ["gh"], "env": {"GITHUB_TOKEN": TOKEN}}}}


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Surroundings:
    home = tmp_path / "person"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    for name in ("APPDATA", "XDG_CONFIG_HOME", "CODEX_HOME", "CLAUDE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    path = home / ".cursor" / "mcp.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(CURSOR, indent=2))
    return Surroundings.here()


def cursor(person: Surroundings) -> Path:
    return HOSTS["cursor"].config_file(person)


@pytest.mark.usefixtures("no_keys")
def test_install_and_uninstall_go_there_and_back(shell: Shell, person: Surroundings) -> None:
    before = cursor(person).read_bytes()
    done = shell("install", "cursor", "--yes")
    assert done.status == 0, done.err
    entry = read_config(cursor(person)).document["mcpServers"]["toolrouter"]
    assert Path(entry["command"]).is_absolute()
    assert entry["args"][-3:] == ["serve", "--config", str(shell.config)]
    assert entry["env"] == {"TOOLROUTER_HOME": str(shell.folder / "home")}
    assert read_config(shell.config).document["mcpServers"]["git-hub"] == CURSOR["mcpServers"]["git hub"]
    assert "git hub (as git-hub)" in done.err
    assert "stay in the clear" in done.err
    again = shell("install", "cursor", "--yes")
    assert "Nothing to do" in again.err
    back = shell("uninstall", "cursor", "--yes")
    assert back.status == 0
    assert "byte for byte" in back.err
    assert cursor(person).read_bytes() == before
    assert "not in it" in shell("uninstall", "cursor", "--yes").err


@pytest.mark.usefixtures("no_keys")
def test_uninstall_of_an_edited_file_names_the_file_of_before_and_no_later_one_takes_its_place(
    shell: Shell, person: Surroundings
) -> None:
    before = cursor(person).read_bytes()
    kept = []
    for _ in range(2):
        shell("install", "cursor", "--yes")
        cursor(person).write_text(cursor(person).read_text() + "\n")
        back = shell("uninstall", "cursor", "--yes")
        assert "edited since" in back.err
        (line,) = [line for line in back.err.splitlines() if line.startswith("As it was before: ")]
        kept.append(Path(line.removeprefix("As it was before: ").partition(" (")[0]))
    assert kept[0].read_bytes() == before
    assert kept[0] != kept[1]


@pytest.mark.usefixtures("no_keys", "person")
def test_why_secrets_stay_in_the_clear_is_said(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "finds no keyring service on this machine" in shell("install", "cursor", "--dry-run").err
    assert "in the clear in" in shell("install", "cursor", "--dry-run", "--no-keyring").err
    monkeypatch.setitem(sys.modules, "keyring", None)
    said = shell("install", "cursor", "--dry-run").err
    assert "the package `keyring` is not installed (`pip install '.[keyring]'`" in said


def test_secrets_go_into_the_keyring_and_are_never_shown(shell: Shell, person: Surroundings, keys: Keys) -> None:  # noqa: F811
    done = shell("install", "cursor", "--yes")
    assert done.status == 0, done.err
    assert keys["git-hub.GITHUB_TOKEN"] == TOKEN
    assert TOKEN not in shell.config.read_text()
    assert TOKEN not in done.out + done.err
    assert "Into the keyring: 1 secret." in done.err
    back = shell("uninstall", "cursor", "--yes")
    assert TOKEN not in back.out + back.err
    assert json.loads(cursor(person).read_text()) == CURSOR


@pytest.mark.usefixtures("no_keys")
def test_a_dry_run_shows_the_diff_and_changes_nothing(shell: Shell, person: Surroundings) -> None:
    before = cursor(person).read_bytes(), shell.config.read_bytes()
    done = shell("install", "--all", "--dry-run")
    assert done.status == 0
    assert '-    "git hub": {' in done.out
    assert '+    "toolrouter": {' in done.out
    assert (cursor(person).read_bytes(), shell.config.read_bytes()) == before


@pytest.mark.usefixtures("no_keys")
def test_what_another_command_adds_while_a_person_thinks_is_kept(
    shell: Shell, person: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def thinking(_question: str, *, yes: bool) -> bool:
        assert not yes
        return shell("add", "late", "--", "server").status == 0

    monkeypatch.setattr("toolrouter.cli.install.confirmed", thinking)
    assert shell("install", "cursor").status == 0
    assert {"git-hub", "late"} <= set(read_config(shell.config).document["mcpServers"])
    assert "toolrouter" in cursor(person).read_text()


@pytest.mark.usefixtures("no_keys")
def test_a_host_that_changes_its_file_while_a_person_thinks_is_not_overwritten(
    shell: Shell, person: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = json.dumps({"mcpServers": {"other": {"command": "x"}}})
    before = shell.config.read_bytes()
    monkeypatch.setattr("toolrouter.cli.install.confirmed", lambda *_, **__: bool(cursor(person).write_text(changed)))
    done = shell("install", "cursor")
    assert done.status == 1
    assert "Run it again" in done.err
    assert (shell.config.read_bytes(), cursor(person).read_text()) == (before, changed)


@pytest.mark.usefixtures("no_keys", "person")
def test_nothing_is_written_when_nobody_can_say_yes(shell: Shell) -> None:
    before = shell.config.read_bytes()
    done = shell("install", "cursor")
    assert done.status == 2
    assert "--yes" in done.err
    assert shell.config.read_bytes() == before


@pytest.mark.usefixtures("no_keys")
def test_a_broken_file_of_one_host_does_not_stop_the_others(shell: Shell, person: Surroundings) -> None:
    broken = HOSTS["windsurf"].config_file(person)
    broken.parent.mkdir(parents=True)
    broken.write_text("{")
    done = shell("install", "--all", "--yes")
    assert done.status == 1
    assert "windsurf: left out" in done.err
    assert "toolrouter" in cursor(person).read_text()
    assert broken.read_text() == "{"


@pytest.mark.usefixtures("person")
def test_without_arguments_install_shows_what_is_here(shell: Shell) -> None:
    done = shell("install")
    assert done.status == 0
    assert "cursor" in done.out
    assert "no" in done.out.splitlines()[-1]
    assert "--dry-run" in done.err


@pytest.mark.usefixtures("no_keys")
def test_servers_that_a_host_has_beside_the_router_are_named(shell: Shell, person: Surroundings) -> None:
    windsurf = HOSTS["windsurf"].config_file(person)
    windsurf.parent.mkdir(parents=True)
    windsurf.write_text(json.dumps({"mcpServers": {"shadow": {"command": "x"}, "mail": {"url": "https://m.example"}}}))
    shell("install", "cursor", "--yes")
    beside = json.loads(cursor(person).read_text())
    beside["mcpServers"]["later"] = {"command": "y"}
    cursor(person).write_text(json.dumps(beside))
    rows = {line.split()[0]: line for line in shell("install").out.splitlines() if line.strip()}
    assert "  shadow, mail  " in rows["windsurf"]
    assert "  later  " in rows["cursor"]
    found = [each for each in shell("doctor", "--no-connect", "--json").json if each["subject"] == "hosts"]
    assert [(each["outcome"], each["detail"].split(": ")[1], each["fix"]) for each in found] == [
        ("warning", "later", "toolrouter install cursor"),
        ("ok", "shadow, mail", ""),
    ]


@pytest.mark.usefixtures("person")
def test_an_unknown_host_is_told_with_the_nearest_one(shell: Shell) -> None:
    done = shell("install", "cursr")
    assert done.status == 1
    assert "Did you mean `cursor`" in done.err


@pytest.mark.usefixtures("person")
def test_links_and_bundle_are_made_without_touching_a_host(shell: Shell) -> None:
    links = shell("install", "--links").out.splitlines()
    assert [link.split(":")[0] for link in links] == ["cursor", "vscode"]
    out = shell.folder / "toolrouter.mcpb"
    assert shell("install", "--mcpb", str(out)).out == f"{out}\n"
    assert out.read_bytes().startswith(b"PK")
    assert shell("install", "--mcpb", "x.zip").status == 2


def test_the_command_that_is_written_can_be_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from toolrouter.cli.installing import launch_words

    monkeypatch.delenv("TOOLROUTER_HOME", raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    words, env = launch_words(tmp_path / "c.json")
    assert words == [str(tmp_path / "python"), "-m", "toolrouter", "serve", "--config", str(tmp_path / "c.json")]
    assert env == {}
    (tmp_path / "toolrouter").touch()
    (tmp_path / "toolrouter.exe").touch()
    assert Path(launch_words(tmp_path / "c.json")[0][0]).stem == "toolrouter"


@pytest.mark.usefixtures("no_keys")
@pytest.mark.parametrize(
    ("host", "document", "said"),
    [
        (
            "claude-code",
            {"projects": {"/work/a": {"mcpServers": {"local": {"command": "x"}}}, "/work/b": {"mcpServers": {}}}},
            ["  the project /work/a has servers of its own, which stay: local.\n"],
        ),
        (
            "gemini-cli",
            {
                "mcp": {"allowed": ["git"], "excluded": ["web"]},
                "mcpServers": {"git": {"command": "g"}, "web": {"command": "w"}},
            },
            ["keeps toolrouter from being started", '`"disabled": true` for web.'],
        ),
        ("gemini-cli", {"mcp": {"allowed": "all", "excluded": ["x"]}, "mcpServers": {"git": {"command": "g"}}}, []),
        ("amazon-q", {}, ["default.json has servers of its own, which stay: docs."]),
    ],
)
def test_install_says_what_it_leaves_alone_beside_the_servers(
    shell: Shell, person: Surroundings, host: str, document: dict[str, object], said: list[str]
) -> None:
    path = HOSTS[host].config_file(person)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    if host == "amazon-q":
        agent = path.parent / "agents" / "default.json"
        agent.parent.mkdir()
        agent.write_text(json.dumps({"mcpServers": {"docs": {"command": "d"}}}))
        agent.with_name("broken.json").write_text("{")
    done = shell("install", host, "--yes")
    assert done.status == 0, done.err
    assert [words for words in said if words not in done.err] == []
    assert ("which stay" in done.err or "mcp.allowed" in done.err) is bool(said)


@pytest.mark.usefixtures("no_keys")
def test_doctor_warns_of_servers_that_came_after_install_and_not_of_those_that_have_to_stay(
    shell: Shell, person: Surroundings
) -> None:
    def told() -> list[tuple[str, str]]:
        found = shell("doctor", "--no-connect", "--json").json
        return [(each["outcome"], each["fix"]) for each in found if each["subject"] == "hosts"]

    assert told() == [("ok", "")]
    cursor(person).write_text(json.dumps({"mcpServers": {"bound": {"command": "b", "envFile": ".env"}}}))
    assert shell("install", "cursor", "--yes").status == 0
    assert told() == [("ok", "")]
    document = json.loads(cursor(person).read_text())
    document["mcpServers"]["fresh"] = {"command": "f"}
    cursor(person).write_text(json.dumps(document))
    assert told() == [("warning", "toolrouter install cursor")]


def test_hosts_are_not_told_to_start_what_a_cache_of_uv_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from toolrouter.cli.installing import launch_words

    monkeypatch.setattr("sys.executable", str(tmp_path / "archive-v0" / "x1" / "bin" / "python"))
    with pytest.raises(ConfigError, match=r"runs from a cache of uv .* Install it from its checkout"):
        launch_words(tmp_path / "c.json")

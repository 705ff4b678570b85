from pathlib import Path

import pytest

from toolrouter.errors import ConfigError
from toolrouter.hosts.reading import servers_in, usable_alias


def written(folder: Path, text: str, name: str = "host.json") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("claude_desktop_config.json", '{"globalShortcut": "", "mcpServers": {"a": {"command": "x"}}}'),
        ("mcp.json", '{"inputs": [], "servers": {"a": {"command": "x"}}} // VS Code'),
        ("settings.json", '{"editor.tabSize": 2, "mcp": {"servers": {"a": {"command": "x"}}}}'),
        ("config.toml", 'model = "x"\n[mcp_servers.a]\ncommand = "x"\n'),
        ("zed.json", '{"context_servers": {"a": {"command": "x"}}}'),
    ],
)
def test_servers_are_found_whichever_host_wrote_them(tmp_path: Path, name: str, text: str) -> None:
    assert servers_in(written(tmp_path, text, name)).servers == {"a": {"command": "x"}}


def test_names_that_cannot_stay_are_changed_and_told(tmp_path: Path) -> None:
    text = '{"mcpServers": {"My Files!": {"command": "x"}, "My-Files": {"command": "y"}, "日本": {"url": "http://h"}}}'
    found = servers_in(written(tmp_path, text))
    assert list(found.servers) == ["My-Files", "My-Files-2", "server"]
    assert found.renamed == {"My Files!": "My-Files", "My-Files": "My-Files-2", "日本": "server"}


@pytest.mark.parametrize(
    "entry",
    [
        '{"command": "toolrouter", "args": ["serve"]}',
        '{"command": "C:\\\\Tools\\\\Toolrouter.exe"}',
        '{"command": "python", "args": ["-m", "toolrouter", "serve"]}',
        '{"command": "uvx", "args": ["toolrouter", "serve"]}',
    ],
)
def test_toolrouter_itself_is_left_out(tmp_path: Path, entry: str) -> None:
    text = f'{{"mcpServers": {{"router": {entry}, "a": {{"command": "x"}}}}}}'
    found = servers_in(written(tmp_path, text))
    assert list(found.servers) == ["a"]
    assert found.skipped == {"router": "it is toolrouter itself"}


def test_what_is_no_server_is_left_out_with_the_reason(tmp_path: Path) -> None:
    found = servers_in(written(tmp_path, '{"mcpServers": {"a": {"command": "x"}, "b": {}, "c": 3}}'))
    assert list(found.skipped) == ["b", "c"]


def test_a_file_without_servers_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no servers: expected an object `mcpServers`"):
        servers_in(written(tmp_path, '{"mcpServers": {}}'))


def test_a_made_up_name_is_unique() -> None:
    assert usable_alias("a b", {"a-b": {}, "a-b-2": {}}) == "a-b-3"

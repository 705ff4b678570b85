import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolrouter.errors import ConfigError
from toolrouter.settings_file import ConfigFile, parse_config
from toolrouter.settings_file.edit import with_servers, without_server, write_config

ENTRY = {"command": "npx", "args": ["-y", "x"]}
HAND_WRITTEN = """\
// My servers.
{
    "other": {"b": 1, "a": [1,2]}, // kept
    "mcpServers": {
        // first
        "a": {"command": "x"}, // note a
        "b": {"command": "y", "odd": null}, /* note b */
        "c": { "command": "z" } // note c
        // last
    },
}
"""


def file(text: str, name: str = "c.json") -> ConfigFile:
    return parse_config(Path(name), text)


def test_a_server_is_added_at_the_end_and_nothing_else_changes() -> None:
    text = with_servers(file(HAND_WRITTEN), {"new": {"command": "n"}})
    assert text == HAND_WRITTEN.replace(
        '"c": { "command": "z" } // note c\n',
        '"c": { "command": "z" }, // note c\n        "new": {\n            "command": "n"\n        }\n',
    )


def test_a_server_is_removed_with_its_line_and_nothing_else_changes() -> None:
    for alias, line in {"a": '        "a": {"command": "x"}, // note a\n'}.items():
        assert without_server(file(HAND_WRITTEN), alias) == HAND_WRITTEN.replace(line, "")


def test_after_the_last_server_is_removed_no_comma_is_left_over() -> None:
    text = without_server(file(HAND_WRITTEN), "c")
    assert '"odd": null} /* note b */' in text
    assert "// last" in text


@pytest.mark.parametrize("alias", ["a", "b", "c"])
def test_what_is_added_can_be_removed_again(alias: str) -> None:
    without = without_server(file(HAND_WRITTEN), alias)
    assert alias not in file(without).document["mcpServers"]
    again = file(with_servers(file(without), {alias: ENTRY}))
    assert again.document["mcpServers"][alias] == ENTRY


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{ }\n",
        '{"mcpServers":{}}',
        '{"servers": {"a": {"command": "x"}}}',
        '{"mcpServers": {"a": {"command": "x",},},}',
        '{\r\n\t"mcpServers": {\r\n\t\t"a": {"command": "x"}\r\n\t}\r\n}\r\n',
        '\ufeff{"toolrouter": {}} // tail',
        '{"mcpServers": {/* none yet, */}}',
    ],
)
def test_a_server_can_be_added_to_any_layout(text: str) -> None:
    before = file(text)
    after = file(with_servers(before, {"new": ENTRY}))
    key = before.servers_key
    assert after.document == {**before.document, key: {**before.document.get(key, {}), "new": ENTRY}}
    assert ("\r\n" in after.text) == ("\r\n" in text)
    assert after.text.startswith("\ufeff") == text.startswith("\ufeff")


def test_a_replaced_server_stays_where_it_was() -> None:
    text = with_servers(file(HAND_WRITTEN), {"a": {"command": "other"}})
    assert text.index('"other"') < text.index('"b"')
    assert "// note a" in text


NAMES = st.text("abcXYZ_-.09", min_size=1, max_size=6)
SERVERS = st.dictionaries(NAMES, st.dictionaries(st.text(max_size=4), st.text(max_size=6), max_size=3), max_size=4)


@given(SERVERS, NAMES, st.sampled_from([None, 1, 2, 4, "\t"]))
def test_adding_and_removing_hold_for_any_servers(servers: dict[str, object], name: str, indent: int | None) -> None:
    before = file(json.dumps({"x": 1, "mcpServers": servers, "y": 2}, indent=indent))
    added = file(with_servers(before, {name: ENTRY}))
    assert added.document["mcpServers"] == {**servers, name: ENTRY}
    removed = file(without_server(added, name))
    assert removed.document == {"x": 1, "mcpServers": {k: v for k, v in servers.items() if k != name}, "y": 2}


TOML = """\
# top
[mcpServers.a] # note
command = "x"

[mcpServers.a.env]
K = "v"

# about b
[mcpServers.b]
command = "y"

[toolrouter]
exposure = "all"
"""


def test_toml_gets_a_table_at_its_end() -> None:
    entry = {"command": "n", "args": ["a b", 'q"'], "env": {"K": "v", "odd key": "w"}}
    text = with_servers(file(TOML, "c.toml"), {"new.one": entry})
    assert text.startswith(TOML)
    assert file(text, "c.toml").document["mcpServers"]["new.one"] == entry


def test_toml_loses_a_server_and_its_tables_and_nothing_else() -> None:
    text = without_server(file(TOML, "c.toml"), "a")
    assert text == TOML.replace('[mcpServers.a] # note\ncommand = "x"\n\n[mcpServers.a.env]\nK = "v"\n\n', "")


def test_a_layout_that_cannot_be_edited_is_refused_with_what_to_paste() -> None:
    with pytest.raises(ConfigError, match=r"(?s)cannot be edited safely; add this by hand:.*\[mcpServers.new\]"):
        with_servers(file('mcpServers = { a = { command = "x" } }\n', "c.toml"), {"new": ENTRY})
    with pytest.raises(ConfigError, match="remove the server `a` by hand"):
        without_server(file('mcpServers.a.command = "x"\n', "c.toml"), "a")


def test_a_write_keeps_what_was_there_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    assert write_config(path, "one\r\n") is None
    backup = write_config(path, "two\n")
    assert backup is not None
    assert backup.read_bytes() == b"one\r\n"
    assert path.read_bytes() == b"two\n"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["c.json", "c.json.bak"]


@pytest.mark.skipif(os.name == "nt", reason="modes and links are POSIX's")
def test_a_write_keeps_links_and_modes_and_starts_private(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    write_config(real, "{}")
    assert real.stat().st_mode & 0o777 == 0o600
    real.chmod(0o644)
    link.symlink_to(real)
    write_config(link, "new")
    assert link.is_symlink()
    assert real.read_text(encoding="utf-8") == "new"
    assert real.stat().st_mode & 0o777 == 0o644


def test_a_folder_that_cannot_be_written_is_an_error_and_changes_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("x", encoding="utf-8")
    with pytest.raises(ConfigError, match="Nothing was changed"):
        write_config(blocked / "c.json", "{}")


def test_the_last_server_of_a_toml_file_can_be_removed() -> None:
    file = parse_config(Path("c.toml"), '[toolrouter]\nexposure = "all"\n\n[mcpServers.a]\ncommand = "x"\n')
    assert without_server(file, "a") == '[toolrouter]\nexposure = "all"\n\n'

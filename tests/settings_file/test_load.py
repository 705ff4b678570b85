from pathlib import Path

import pytest

from toolrouter.config import Exposure, Transport
from toolrouter.errors import ConfigError
from toolrouter.settings_file import (
    Loaded,
    candidates,
    find_config,
    home_folder,
    load_settings,
    parse_config,
    read_config,
    secret_values,
    settings_of,
)


def loaded(text: str, *, name: str = "toolrouter.json", **environ: str) -> Loaded:
    return settings_of(parse_config(Path(name), text), environ)


def mistake(text: str, *, name: str = "toolrouter.json", **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(text, name=name, **environ)
    return str(caught.value)


def test_the_block_that_people_paste_is_a_config() -> None:
    found = loaded('{"mcpServers": {"a": {"command": "x", "args": ["y"]}, "b": {"url": "https://h/mcp"}}}')
    assert found.settings.servers["a"].args == ("y",)
    assert found.settings.servers["b"].transport is Transport.HTTP
    assert not found.warnings


@pytest.mark.parametrize("key", ["servers", "mcp_servers"])
def test_the_servers_may_stand_under_the_key_of_another_host(key: str) -> None:
    assert list(loaded(f'{{"{key}": {{"a": {{"command": "x"}}}}}}').settings.servers) == ["a"]


def test_keys_of_other_hosts_are_tolerated() -> None:
    text = '{"globalShortcut": "x", "mcpServers": {"a": {"command": "x", "autoApprove": [], "timeout": 3}}}'
    assert not loaded(text).warnings


def test_toml_has_the_same_shape() -> None:
    text = '[mcpServers.a]\ncommand = "x"\n[mcpServers.a.env]\nK = "${V}"\n[toolrouter]\nexposure = "all"\n'
    found = loaded(text, name="c.toml", V="w").settings
    assert found.servers["a"].env == {"K": "w"}
    assert found.router.exposure is Exposure.ALL


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"mcpServer": {}}', "line 1: `mcpServer` is not a key. Did you mean `mcpServers`?"),
        ('{"toolRouter": {}}', "Did you mean `toolrouter`?"),
        ('{"mcpServers": {}, "servers": {}}', "`mcpServers` and `servers` both hold servers; keep one"),
        ('{"github": {"command": "x"}}', "the server `github` stands outside of `mcpServers`"),
        ('{"mcpServers": []}', "mcpServers must be an object, not a list"),
        ('{"mcpServers": {\n"a b": {"command": "x"}}}', "line 2: mcpServers.a b: `a b` cannot name a server"),
        ('{"mcpServers": {"a b": {"command": "x"}}}', "Call it `a-b`."),
        ('{"mcpServers": {"a": {"comand": "x"}}}', "Did you mean `command` by `comand`?"),
        ('{"mcpServers": {"a": {"command": "x", "url": "http://h"}}}', "either `command`"),
        ('{"mcpServers": {"a": {"command": "x", "args": "y z"}}}', "mcpServers.a.args must be a list, not 'y z'"),
        ('{"mcpServers": {"a": {"command": "x", "env": {"P": 80}}}}', "mcpServers.a.env.P must be a string"),
        ('{"servers": {"a": {"command": 1}}}', "servers.a.command must be a string, not 1"),
        (
            '{"toolrouter": {\n"search": {\n"kk": 3}}}',
            "line 3: toolrouter.search.kk is not a setting. Did you mean `k`?",
        ),
        ('{"toolrouter": {"sarch": {}}}', "toolrouter.sarch is not a setting. Did you mean `search`?"),
        ('{"toolrouter": {"search": {"zzz": 3}}}', "Known here: k, lean, min_score, retriever, token_budget."),
        ('{"toolrouter": {"exposure": "serach"}}', "Did you mean `search`?"),
        ('{"toolrouter": {"search": {"k": 99}}}', "toolrouter.search.k must be less than or equal to 50, not 99"),
        ('{"toolrouter": {"search": {"k": "many"}}}', "must be an integer"),
        ('{"toolrouter": {"servers": {"a": {"alow": []}}}}', "toolrouter.servers.a.alow is not a setting"),
        ('{"toolrouter": 3}', "toolrouter must be an object"),
        ('{"a": 1,, }', "line 1, column 9: expected a key in double quotes"),
        ("[]", "expected an object"),
    ],
)
def test_a_mistake_is_named_with_what_was_expected(text: str, said: str) -> None:
    assert said in mistake(text)


def test_all_mistakes_are_named_at_once() -> None:
    said = mistake('{"toolrouter": {"search": {"k": 0},\n"limits": {"max_page": 1}}}')
    assert "line 1: toolrouter.search.k" in said
    assert "line 2: toolrouter.limits.max_page" in said


def test_a_mistake_never_shows_a_secret() -> None:
    text = '{"mcpServers": {"a": {"command": "x", "env": {"K": ["hunter2"]}, "headers": "Bearer hunter2"}}}'
    assert "hunter2" not in mistake(text)


def test_a_mistake_in_toml_names_its_line() -> None:
    assert "at line 2" in mistake("[toolrouter]\nexposure = \n", name="c.toml")


def test_references_are_read_from_the_environment() -> None:
    text = """{"mcpServers": {
        "a": {"command": "${BIN}", "args": ["--to=${WHERE:-here}", "$${KEPT}"], "env": {"K": "${env:K}"}},
        "b": {"url": "https://${HOST}/mcp", "headers": {"Authorization": "Bearer ${K}"}}
    }, "toolrouter": {"http": {"token": "${K}"}, "embedder": {"api_key": "${K:-none}"},
        "reranker": "/models/${BIN}"}}"""
    found = loaded(text, BIN="x", K="secret", HOST="h", WHERE="").settings
    assert found.servers["a"].command == "x"
    assert found.servers["a"].args == ("--to=here", "${KEPT}")
    assert found.servers["a"].env == {"K": "secret"}
    assert found.servers["b"].url == "https://h/mcp"
    assert found.servers["b"].headers == {"Authorization": "Bearer secret"}
    assert (found.router.http.token, found.router.embedder.api_key) == ("secret", "secret")
    assert found.router.reranker == "/models/x"


def test_an_unset_variable_costs_only_its_own_server() -> None:
    found = loaded('{"mcpServers": {"a": {"command": "x", "env": {"K": "${GONE}"}}, "b": {"command": "y"}}}').settings
    assert "mcpServers.a.env.K needs the environment variable GONE, which is not set" in found.servers["a"].unusable
    assert not found.servers["b"].unusable


def test_a_file_cannot_declare_a_server_unusable() -> None:
    assert not loaded('{"mcpServers": {"a": {"command": "x", "unusable": "ha"}}}').settings.servers["a"].unusable


def test_a_prompt_of_vs_code_is_explained() -> None:
    found = loaded('{"servers": {"a": {"command": "x", "env": {"K": "${input:key}"}}}}').settings
    assert "only VS Code knows" in found.servers["a"].unusable


def test_an_unset_variable_of_the_router_itself_is_a_mistake() -> None:
    said = mistake('{"toolrouter": {\n"http": {"token": "${GONE}"}}}')
    assert "line 2: toolrouter.http.token needs the environment variable GONE" in said


def test_odd_but_harmless_things_are_warned_about() -> None:
    text = '{"mcpServers": {"github": {"command": "x", "arg": []}}, "toolrouter": {"servers": {"gihub": {}}}}'
    assert loaded(text).warnings == (
        "toolrouter.servers.gihub: there is no such server in `mcpServers`. Did you mean `github`?",
        "mcpServers.github.arg is ignored. Did you mean `args`?",
    )


def test_secrets_are_known_with_and_without_their_scheme() -> None:
    text = '{"mcpServers": {"a": {"url": "http://h", "headers": {"Authorization": "Bearer abcdef"}}}}'
    assert secret_values(loaded(text).settings) == {"Bearer abcdef", "abcdef"}


def test_a_secret_in_an_argument_is_known_by_the_name_of_its_variable() -> None:
    text = '{"mcpServers": {"a": {"command": "x", "args": ["--token=${A_TOKEN}", "${HOME}/x"]}}}'
    assert loaded(text, A_TOKEN="hunter22", HOME="/home/me").secrets == {"hunter22"}


def test_the_named_config_comes_before_the_environment_and_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("named.json", "environment.json", "toolrouter.toml"):
        (tmp_path / name).write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    environ = {"TOOLROUTER_CONFIG": str(tmp_path / "environment.json")}
    assert find_config(tmp_path / "named.json", environ).name == "named.json"
    assert find_config(None, environ).name == "environment.json"
    assert find_config(None, {}).name == "toolrouter.toml"


def test_a_config_that_is_not_there_is_named_with_its_likes(tmp_path: Path) -> None:
    (tmp_path / "toolrouter.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"does not exist. Did you mean .*toolrouter\.json\?"):
        find_config(tmp_path / "tolrouter.json")
    with pytest.raises(ConfigError, match="is a folder"):
        find_config(tmp_path)


def test_without_any_config_the_places_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("platformdirs.user_config_dir", lambda *_, **__: str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="toolrouter init"):
        find_config(None, {"XDG_CONFIG_HOME": str(tmp_path / "none")})


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "toolrouter.json"
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_config(path)


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "toolrouter.json"
    path.write_bytes('\ufeff{\r\n  "mcpServers": {"a": {"command": "x"}}\r\n}\r\n'.encode())
    assert list(load_settings(path, {}).settings.servers) == ["a"]
    toml = tmp_path / "toolrouter.toml"
    toml.write_bytes('\ufeff[mcpServers.a]\r\ncommand = "x"\r\n'.encode())
    assert list(load_settings(toml, {}).settings.servers) == ["a"]


def test_the_home_folder_can_be_moved() -> None:
    assert home_folder({"TOOLROUTER_HOME": "/somewhere"}) == Path("/somewhere")
    assert home_folder({}).name == "toolrouter"


def test_the_platforms_folders_are_those_that_platformdirs_names(monkeypatch: pytest.MonkeyPatch) -> None:
    import platformdirs

    for value in ("", "/somewhere/else"):
        monkeypatch.setenv("XDG_STATE_HOME", value)
        monkeypatch.setenv("XDG_CONFIG_HOME", value)
        monkeypatch.delenv("TOOLROUTER_HOME", raising=False)
        assert home_folder() == platformdirs.user_state_path("toolrouter", appauthor=False)
        assert candidates()[-1].parent == platformdirs.user_config_path("toolrouter", appauthor=False)

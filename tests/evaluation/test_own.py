import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.evaluation.conftest import TOOLS
from toolrouter.catalog.naming import assign_ids
from toolrouter.catalog.store import open_store
from toolrouter.catalog.tokens import definition_tokens
from toolrouter.config import Settings
from toolrouter.errors import ConfigError
from toolrouter.evaluation.own import own_catalog, own_set
from toolrouter.evaluation.sets import Query
from toolrouter.types import JsonObject, Server, Tool

Command = Callable[..., tuple[int, str, str]]


def definition(name: str, description: str) -> JsonObject:
    return {"name": name, "description": description, "inputSchema": {"type": "object"}}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config whose servers' tools are in the store already."""
    store = open_store(tmp_path / "home")
    for alias in {server for server, _, _ in TOOLS}:
        raws = [definition(name, text) for server, name, text in TOOLS if server == alias]
        ids = assign_ids(alias, [raw["name"] for raw in raws])
        tools = [Tool(ids[raw["name"]], alias, raw["name"], raw, raw["name"], definition_tokens(raw)) for raw in raws]
        store.save_listing(Server(alias, listed_at=1.0), tools)
    for number, (_, name, text) in enumerate(TOOLS * 3):
        found = f"{TOOLS[number % len(TOOLS)][0]}__{name}"
        store.log_use({"kind": "search", "at": number * 10, "queries": [f"{text} {number}"], "shown": [found]})
        store.log_use({"kind": "call", "at": number * 10 + 1, "tool": found, "succeeded": True})
    store.close()
    path = tmp_path / "toolrouter.json"
    servers = {server: {"command": "false"} for server, _, _ in TOOLS}
    path.write_text(json.dumps({"mcpServers": servers}), encoding="utf-8")
    return path


def settings_of(path: Path) -> Settings:
    return Settings.model_validate(json.loads(path.read_text(encoding="utf-8")))


def test_the_catalog_is_read_without_starting_anything(config: Path, tmp_path: Path) -> None:
    catalog = own_catalog(settings_of(config), tmp_path / "home")
    assert len(catalog.visible) == len(TOOLS)
    assert "git" in catalog.servers


def test_servers_that_are_not_in_the_config_are_left_out(config: Path, tmp_path: Path) -> None:
    only_git = Settings.model_validate({"mcpServers": {"git": {"command": "false"}}})
    assert {tool.server for tool in own_catalog(only_git, tmp_path / "home").visible} == {"git"}
    with pytest.raises(ConfigError, match="toolrouter index"):
        own_catalog(Settings.model_validate({}), tmp_path / "home")


def test_gold_may_be_written_as_people_write_tool_names(config: Path, tmp_path: Path) -> None:
    catalog = own_catalog(settings_of(config), tmp_path / "home")
    asked = [
        Query("1", "…", ("git/git_log",), {"git/git_log": ("files__read_file", "gone")}),
        Query("2", "…", ("nowhere__nothing",)),
    ]
    found = own_set(catalog, asked)
    (query,) = found.queries
    assert query.relevant == ("git__git_log",)
    assert query.alt == {"git__git_log": ("files__read_file",)}
    assert "1 of 2 queries" in found.warnings[0]
    with pytest.raises(ConfigError, match="None of the queries"):
        own_set(catalog, asked[1:])


def test_settings_are_fitted_to_the_log_of_use(command: Command, config: Path) -> None:
    status, out, err = command("tune", "--from-log", "--config", config, "--dry-run", "--json")
    assert status == 0, err
    found = json.loads(out)
    assert found["set"]["tools"] == len(TOOLS)
    assert found["set"]["queries"] == 3 * len(TOOLS)
    assert found["before"]["recall"] > 0


def test_an_empty_log_says_what_is_missing(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "toolrouter.json"
    path.write_text("{}", encoding="utf-8")
    status, _, err = command("tune", "--from-log", "--config", path)
    assert status == 1
    assert "The log holds no search" in err


def test_the_tokens_of_ones_own_servers_are_counted(command: Command, config: Path) -> None:
    status, out, err = command("bench", "tokens", "--config", config, "--json")
    assert status == 0, err
    (bundle,) = json.loads(out)["bundles"]
    assert bundle["tools"] == len(TOOLS)
    assert bundle["everything"] == sum(definition_tokens(definition(name, text)) for _, name, text in TOOLS)


def test_eval_searches_ones_own_tools_as_the_config_says(command: Command, config: Path, tmp_path: Path) -> None:
    document = json.loads(config.read_text(encoding="utf-8"))
    document["toolrouter"] = {"search": {"retriever": "lexical", "k": 3}}
    config.write_text(json.dumps(document), encoding="utf-8")
    queries = tmp_path / "mine.jsonl"
    queries.write_text(
        json.dumps({"id": "1", "query": "history of commits", "relevant": ["git_log"]}), encoding="utf-8"
    )
    status, out, err = command("eval", "--queries", queries, "--json")
    assert status == 0, err
    found = json.loads(out)
    assert found["set"] == {"name": "own tools", "tools": len(TOOLS), "queries": 1}
    assert (found["arm"]["retriever"], found["arm"]["k"]) == ("lexical", 3)
    assert found["groups"]["all"]["measures"]["Success@1"]["value"] == 1

    status, out, err = command("eval", "--from-log", "--limit", "5", "--json")
    assert status == 0, err
    found = json.loads(out)
    assert found["set"]["queries"] == 3 * len(TOOLS)
    assert found["arm"]["k"] == 5

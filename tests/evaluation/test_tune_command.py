import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.conftest import write_lines
from toolrouter.cli.tune import verdict
from toolrouter.cli.tune_config import Undone, apply, undo, with_search_settings
from toolrouter.errors import ConfigError
from toolrouter.evaluation.bootstrap import Interval
from toolrouter.evaluation.tuning import Cut, Outcome, Tuning
from toolrouter.evaluation.use_log import queries_from_log
from toolrouter.settings_file import parse_config

Command = Callable[..., tuple[int, str, str]]

JSON = """{
  // my servers
  "mcpServers": {"time": {"command": "uvx"}},
  "toolrouter": {
    "search": {"k": 2, "min_score": 0.0}  // few
  }
}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "toolrouter.json"
    path.write_text(JSON, encoding="utf-8")
    return path


def search_section(path: Path) -> object:
    return parse_config(path, path.read_text(encoding="utf-8")).document["toolrouter"]["search"]


@pytest.mark.parametrize(("low", "said"), [(-5, "Not distinguishable"), (5, "A gain")])
def test_the_verdict_says_what_it_goes_by(low: float, said: str) -> None:
    nothing = np.zeros(1)
    outcome = Outcome(nothing, nothing, nothing, nothing)
    recall, tokens = Interval(0.009, 0.001, 0.02), Interval(-40, -60, -20)
    fitted = Tuning(Cut(5, 0, 500), Cut(8, 0, 500), outcome, outcome, Interval(20, low, 45), recall, tokens, ())
    decision, gains = verdict(fitted).split("\n")
    assert decision.startswith(said)
    assert "cost" in decision
    assert ("does not lie above 0" in decision) == (low < 0)
    assert gains.index(f"cost saved +20 [{low:+d}, +45]") < gains.index("+0.9 points")


def test_settings_are_fitted_shown_written_and_set_back(
    command: Command, tools_file: Path, queries_file: Path, config: Path
) -> None:
    asked = ("tune", "--tools", tools_file, "--queries", queries_file, "--config", config)
    status, out, err = command(*asked, "--json", "--dry-run")
    assert status == 0, err
    found = json.loads(out)
    assert found["before"]["settings"]["k"] == 2
    assert found["verdict"]
    assert search_section(config) == {"k": 2, "min_score": 0.0}

    status, out, err = command(*asked, "--force")
    assert status == 0, err
    assert "--undo" in err
    assert "1 query has sub-queries, which are asked instead" in out
    assert search_section(config) != {"k": 2, "min_score": 0.0}
    assert "// my servers" in config.read_text(encoding="utf-8")
    assert "// few" in config.read_text(encoding="utf-8")

    status, _, err = command("tune", "--undo")
    assert status == 0, err
    after = search_section(config)
    assert isinstance(after, dict)
    assert (after["k"], after["min_score"]) == (2, 0.0)

    status, _, err = command("tune", "--undo")
    assert status == 1
    assert "nothing to undo" in err


def test_what_may_be_no_gain_is_not_written(
    command: Command, tools_file: Path, queries_file: Path, config: Path
) -> None:
    status, out, _ = command(
        "tune", "--tools", tools_file, "--queries", queries_file, "--config", config, "--yes", "--miss-costs", "1"
    )
    assert status == 0
    if "A gain" not in out:
        assert config.read_text(encoding="utf-8") == JSON


def test_a_folder_for_the_plot_that_cannot_be_made_is_told_before_the_work(
    command: Command, tools_file: Path, queries_file: Path
) -> None:
    status, _, err = command("tune", "--tools", tools_file, "--queries", queries_file, "--plot", tools_file / "plots")
    assert status == 1
    assert "cannot be made a folder" in err
    assert "searching" not in err


def test_the_plot_needs_nothing_but_a_browser(
    command: Command, tools_file: Path, queries_file: Path, tmp_path: Path
) -> None:
    command("tune", "--tools", tools_file, "--queries", queries_file, "--dry-run", "--plot", tmp_path / "plots")
    page = (tmp_path / "plots" / "tune.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert "http" not in page
    assert "<script" not in page


def test_without_a_config_own_queries_have_no_tools(command: Command, queries_file: Path) -> None:
    status, _, err = command("tune", "--queries", queries_file)
    assert status == 1
    assert "No config found" in err


@pytest.mark.parametrize(
    "text",
    [
        JSON,
        '{"mcpServers": {}}',
        '{"mcpServers": {}, "toolrouter": {}}',
        '{"toolrouter": {"search": {}}}',
        '{"toolrouter": {"search": { "k": 3, }, }, }',
        '{\n\t"toolrouter": { // a note\n\t\t"pinned": []\n\t}\n}\n',
    ],
)
def test_json_is_edited_without_touching_anything_else(text: str) -> None:
    file = parse_config(Path("toolrouter.json"), text)
    edited = with_search_settings(file, {"k": 12, "min_score": 0.1, "retriever": "dense"})
    document = parse_config(file.path, edited).document
    assert (
        document["toolrouter"]["search"] | {"k": 12, "min_score": 0.1, "retriever": "dense"}
        == (document["toolrouter"]["search"])
    )
    for note in ("// my servers", "// few", "// a note"):
        assert (note in edited) == (note in text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[toolrouter]\nexposure = 'search'\n",
        "[toolrouter.search]\nk = 8  # enough\n\n[mcpServers.time]\ncommand = 'uvx'\n",
        "[toolrouter.search]",
    ],
)
def test_toml_is_edited_without_touching_anything_else(text: str) -> None:
    file = parse_config(Path("toolrouter.toml"), text)
    edited = with_search_settings(file, {"k": 12, "token_budget": 500})
    document = parse_config(file.path, edited).document
    assert document["toolrouter"]["search"]["k"] == 12
    assert document["toolrouter"]["search"]["token_budget"] == 500
    assert ("# enough" in edited) == ("# enough" in text)


def test_toml_that_cannot_be_edited_safely_is_left_alone() -> None:
    file = parse_config(Path("toolrouter.toml"), "toolrouter = { search = { k = 3 } }\n")
    with pytest.raises(ConfigError, match="by hand"):
        with_search_settings(file, {"k": 12})


def test_undo_brings_back_the_file_as_it_was(config: Path, tmp_path: Path) -> None:
    apply(config, {"k": 12, "token_budget": 300}, tmp_path / "home")
    assert undo(tmp_path / "home") == Undone(config.resolve(), {"k": 2, "token_budget": 1000}, {})
    assert config.read_text(encoding="utf-8") == JSON


def test_undo_keeps_other_edits_and_gives_defaults_to_what_was_not_there(config: Path, tmp_path: Path) -> None:
    apply(config, {"k": 12, "token_budget": 300}, tmp_path / "home")
    config.write_text(config.read_text(encoding="utf-8").replace("my servers", "all servers"), encoding="utf-8")
    undo(tmp_path / "home")
    assert "all servers" in config.read_text(encoding="utf-8")
    assert search_section(config) == {"k": 2, "min_score": 0.0, "token_budget": 1000}


def test_undo_keeps_what_was_set_by_hand_since_and_says_so(config: Path, tmp_path: Path, command: Command) -> None:
    home = tmp_path / "home"
    apply(config, {"k": 12, "token_budget": 300, "min_score": 0.1}, home)
    text = config.read_text(encoding="utf-8").replace('"k": 12', '"k": 9').replace('"token_budget": 300, ', "")
    config.write_text(text, encoding="utf-8")
    status, _, err = command("tune", "--undo")
    assert status == 0, err
    assert err.splitlines() == [
        f"Set back in {config}: min_score = 0.0.",
        "k was changed to 9 since; left as it is.",
        "token_budget was removed since; left as it is.",
    ]
    assert search_section(config) == {"k": 9, "min_score": 0.0}


def test_undo_writes_nothing_when_all_was_set_by_hand_since(config: Path, tmp_path: Path) -> None:
    apply(config, {"k": 12}, tmp_path / "home")
    config.write_text(config.read_text(encoding="utf-8").replace("12", "9"), encoding="utf-8")
    before = config.stat().st_mtime_ns
    assert undo(tmp_path / "home") == Undone(config, {}, {"k": 9})
    assert config.stat().st_mtime_ns == before
    with pytest.raises(ConfigError, match="nothing to undo"):
        undo(tmp_path / "home")


def test_what_no_query_asks_for_has_no_share(command: Command, tools_file: Path, tmp_path: Path) -> None:
    served = {"id": "1", "query": "read a text file", "relevant": ["files/read_file"]}
    asked = write_lines(tmp_path / "q.jsonl", [served])
    tuned = ("tune", "--tools", tools_file, "--queries", asked, "--dry-run")
    assert json.loads(command(*tuned, "--json")[1])["before"]["false_answer_rate"] is None
    status, out, err = command(*tuned)
    assert status == 0, err
    assert next(line for line in out.splitlines() if line.startswith("now")).split()[-1] == "\N{EN DASH}"
    assert "Each query is asked as it stands" in out


def test_calls_tell_what_a_search_was_for() -> None:
    log = [
        {"kind": "search", "at": 10, "queries": ["read mail"], "shown": ["mail__read", "mail__send"]},
        {"kind": "search", "at": 20, "queries": ["list files", "zip them"], "shown": ["fs__list"]},
        {"kind": "call", "at": 21, "tool": "mail__read", "succeeded": True},
        {"kind": "call", "at": 22, "tool": "fs__list", "succeeded": False},
        {"kind": "call", "at": 23, "tool": "zip__pack", "succeeded": True},
        {"kind": "call", "at": 5_000, "tool": "fs__list", "succeeded": True},
        {"kind": "search", "at": 6_000, "queries": ["dance"], "shown": []},
    ]
    found = queries_from_log(reversed(log))
    assert [(query.text, query.relevant, query.subqueries) for query in found] == [
        ("read mail", ("mail__read",), ()),
        ("list files; zip them", ("zip__pack",), ("list files", "zip them")),
    ]

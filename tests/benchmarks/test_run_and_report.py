import json
from pathlib import Path

import pytest

from benchmarks import figures, report, rerank, run
from benchmarks.data import RECORDED, load_set, set_names
from toolrouter.index.model_files import builtin_folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "tiny"
    folder.mkdir(parents=True)
    words = ("read", "write", "delete", "list", "send", "fetch", "sort", "merge", "split", "count")
    tools = [{"id": f"s/{word}", "server": "s", "name": word, "description": f"To {word} things"} for word in words]
    queries = [{"id": word, "query": f"please {word}", "relevant": [f"s/{word}"]} for word in words]
    queries.append({"id": "none", "query": "dance", "relevant": []})
    (folder / "tools.jsonl").write_text("\n".join(map(json.dumps, tools)), encoding="utf-8")
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)), encoding="utf-8")
    (tmp_path / "data" / "train_things").mkdir()
    return tmp_path / "data"


def test_sets_are_the_recorded_one_and_the_folders_given(data: Path) -> None:
    assert set_names(None) == [RECORDED]
    assert set_names(data) == [RECORDED, "tiny"]


def test_a_large_set_is_cut_by_lot_but_keeps_what_its_queries_need(data: Path) -> None:
    first = load_set("tiny", data, max_tools=5, max_queries=4)
    second = load_set("tiny", data, max_tools=5, max_queries=4)
    assert first == second
    assert (first.tools_of, first.queries_of) == (10, 11)
    assert len(first.found.queries) == 4
    assert {gold for query in first.found.queries for gold in query.relevant} <= {
        str(tool.id) for tool in first.found.tools
    }


def test_a_set_that_is_not_shipped_needs_its_folder() -> None:
    with pytest.raises(SystemExit, match="--data"):
        load_set("tiny", None, max_tools=5, max_queries=5)


def test_one_file_per_arm_and_set_is_written_and_what_is_missing_is_said_loudly(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results"
    options = ["--data", str(data), "--sets", "tiny", "--arms", "toolrouter_lexical,ratel_bm25", "--out", str(out)]
    assert run.main([*options, "--cache", str(tmp_path / "cache"), "--venvs", str(tmp_path / "venvs")]) == 0
    result = json.loads((out / "toolrouter_lexical-tiny.json").read_text(encoding="utf-8"))
    assert (result["tools"], result["queries"]) == (10, 11)
    assert result["groups"]["all"]["measures"]["Recall@5"]["value"] == 1
    assert len(result["per_query"]["NDCG@10"]) == 10
    assert result["versions"]["tool text"]
    assert "NOT INSTALLED: ratel_bm25" in capsys.readouterr().err
    assert not (out / "ratel_bm25-tiny.json").exists()

    table = report.filled("<!-- arms -->\nold\n<!-- /arms -->", out)
    assert "old" not in table
    assert "**NOT INSTALLED**" in table
    assert "tiny (10 tools, 11 queries)" in report.filled("<!-- retrieval -->\n<!-- /retrieval -->", out)


def test_what_a_run_did_not_try_keeps_its_note(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    options = ["--data", str(data), "--sets", "tiny", "--out", str(out), "--venvs", str(tmp_path / "venvs")]
    for arm in ("ratel_bm25", "toolrouter_lexical"):
        run.main([*options, "--cache", str(tmp_path / "cache"), "--arms", arm])
    assert list(json.loads((out / "not_installed.json").read_text(encoding="utf-8"))) == ["ratel_bm25"]


def test_a_set_can_be_measured_with_a_model_of_its_own_and_the_tables_mark_it(data: Path, tmp_path: Path) -> None:
    out, held_out = tmp_path / "results", tmp_path / "held-out"
    held_out.symlink_to(builtin_folder(), target_is_directory=True)
    options = ["--data", str(data), "--sets", "tiny", "--arms", "toolrouter_hybrid,toolrouter_lexical"]
    run.main([*options, "--out", str(out), "--cache", str(tmp_path / "cache"), "--model", f"tiny={held_out}"])
    result = json.loads((out / "toolrouter_hybrid-tiny.json").read_text(encoding="utf-8"))
    assert result["model_of_set"] == "held-out"
    assert str(tmp_path) not in json.dumps(result)
    assert "tiny ° (10 tools" in report.filled("<!-- retrieval -->\n<!-- /retrieval -->", out)


@pytest.mark.parametrize("wrong", ["tiny", "tiny=nowhere"])
def test_a_model_that_is_none_is_refused(wrong: str, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.main(["--data", str(data), "--sets", "tiny", "--model", wrong])
    assert "expected SET=DIR" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [("--arms", "bm25,nobody", "no arm is called nobody"), ("--data", "nowhere", "no folder")],
)
def test_an_unknown_arm_or_folder_is_wrong_usage(
    option: str, value: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run.main([option, value])
    assert says in capsys.readouterr().err


def test_a_model_for_a_set_that_does_not_run_is_refused(data: Path) -> None:
    with pytest.raises(SystemExit, match="none of the sets"):
        run.main(["--data", str(data), "--sets", "tiny", "--model", f"other={builtin_folder()}"])


def test_whatever_writes_results_fills_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readmes = [tmp_path / name for name in ("README.md", "FRONT.md")]
    for path in readmes:
        path.write_text("<!-- router -->\n<!-- /router -->\n", encoding="utf-8")
    monkeypatch.setattr(report, "READMES", readmes)
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    found = {"servers": 2, "tools": 3, "surface_tokens": 400, "everything_tokens": 5_000}
    figures.save("surface", found, tmp_path)
    assert all("400 tokens (all tools: 5,000)" in path.read_text(encoding="utf-8") for path in readmes)


def test_the_gain_is_over_the_best_reference_of_each_set(tmp_path: Path) -> None:
    for arm, values in {"bm25": [0, 0, 1], "minilm": [1, 0, 1], "toolrouter_hybrid": [1, 1, 1]}.items():
        result = {
            "arm": arm,
            "set": "x",
            "tools": 1,
            "queries": 3,
            "per_query": {"Recall@5": values, "NDCG@10": values},
            "groups": {"all": {"measures": {name: {"value": sum(values) / 3} for name in ("Recall@5", "NDCG@10")}}},
        }
        (tmp_path / f"{arm}-x.json").write_text(json.dumps(result), encoding="utf-8")
    line = next(row for row in report.macro_table(tmp_path) if row.startswith("| Recall@5"))
    assert "+33.3" in line


def test_what_hosts_pay_is_in_both_tables(tmp_path: Path) -> None:
    one = {"p50": 0.2, "best": 0.1, "over_trivial": 0.5}
    start = dict.fromkeys(("connector, daemon running", "connector, daemon started", "FastMCP proxy"), one)
    ways = {"direct": {"processes": 60, "mb": 3000}, "router, all called": {"processes": 25, "mb": 1200}}
    found = {"start_30": start, "sharing": {"3": ways}, "orphans": {"a": 0, "b": 1}, "connector_rss_mb": 12.3}
    (tmp_path / "start_hosts.json").write_text(json.dumps(found), encoding="utf-8")
    table = "\n".join(report.hosts_table(tmp_path))
    assert "30 servers: FastMCP proxy | p50 0.20 s" in table
    assert "kill -9 in 2 orders | 1 |" in table
    headlines = "\n".join(report.TABLES["headlines"](tmp_path))
    assert "0.20 s, 0.20 s when the daemon has to start; FastMCP proxy 0.2 s" in headlines
    assert "25 processes, 1,200 MB instead of 60, 3,000 MB" in headlines


def test_tables_without_results_say_so(tmp_path: Path) -> None:
    assert "No results yet." in report.filled("<!-- router -->\n<!-- /router -->", tmp_path)


def test_the_readme_says_what_the_results_say() -> None:
    assert report.main(["--check"]) == 0, "python -m benchmarks.report fills the tables in"


@pytest.mark.usefixtures("fake_cross_encoders")
def test_a_second_stage_is_measured_beside_the_first(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    options = ["--reranker", "folder/short-first", "--data", str(data), "--sets", "tiny", "--out", str(out)]
    assert rerank.main([*options, "--cache", str(tmp_path / "cache"), "--about", "likes short texts"]) == 0
    result = json.loads((out / "rerank.json").read_text(encoding="utf-8"))
    assert result["reranker"] == {"name": "short-first", "about": "likes short texts"}
    (found,) = result["sets"]
    assert found["gains"]["all"]["NDCG@10"]["value"] < 0
    assert {found[stages]["groups"]["all"]["queries"] for stages in ("first", "both")} == {10}

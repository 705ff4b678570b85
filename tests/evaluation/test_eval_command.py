import json
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def lexical(command: Command, tools_file: Path, queries_file: Path) -> Callable[..., tuple[int, str, str]]:
    def run(*more: object) -> tuple[int, str, str]:
        return command("eval", "--tools", tools_file, "--queries", queries_file, "--retriever", "lexical", *more)

    return run


def test_it_reports_every_measure_overall_and_by_kind_with_intervals(lexical: Command) -> None:
    status, out, _ = lexical("--json")
    assert status == 0
    found = json.loads(out)
    assert found["set"] == {"name": found["set"]["name"], "tools": 8, "queries": 7}
    assert set(found["groups"]) == {"all", "exact", "task", "multi", "lang", "lang:fr", "multi (sub-queries)"}
    every = found["groups"]["all"]["measures"]
    assert {"Recall@1", "Recall@5", "Recall@10", "NDCG@10", "Completeness@10", "Success@1", "MRR@10"} <= set(every)
    assert found["groups"]["exact"]["measures"]["Success@1"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert every["Recall@5"]["low"] <= every["Recall@5"]["value"] <= every["Recall@5"]["high"]
    assert found["groups"]["all"]["returned_tokens"] > 0
    assert found["answering"]["unanswerable"] == 1
    assert found["latency_p50_ms"] > 0


def test_the_rankings_are_written_one_query_per_line(lexical: Command, tmp_path: Path) -> None:
    status, _, _ = lexical("--run-out", tmp_path / "run.jsonl")
    assert status == 0
    rows = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in rows] == ["1", "2", "3", "4", "5", "6", "7"]
    assert all(set(row) == {"id", "hits", "answered"} for row in rows)
    assert rows[0]["hits"][0]["id"] == "files/read_file"
    assert rows[0]["answered"] is True


@pytest.mark.parametrize("place", [".", "nowhere/run.jsonl"])
def test_a_place_for_the_rankings_that_cannot_be_written_is_told_before_the_work(lexical: Command, place: str) -> None:
    status, _, err = lexical("--run-out", place)
    assert status == 1
    assert "folder" in err
    assert "searching" not in err


def test_tools_without_queries_are_wrong_usage(command: Command, tools_file: Path) -> None:
    status, _, err = command("eval", "--tools", tools_file)
    assert status == 2
    assert "needs --queries" in err


def test_a_person_gets_tables(lexical: Command) -> None:
    status, out, _ = lexical()
    assert status == 0
    assert "R@5" in out
    assert "multi (sub-queries)" in out
    assert "answered, of 1 query with no tool for it" in out
    assert "R@5       share of the needed tools among the first 5 hits" in out


def test_only_some_kinds_can_be_measured(lexical: Command) -> None:
    found = json.loads(lexical("--json", "--kinds", "exact,lang")[1])
    assert found["set"]["queries"] == 4
    assert set(found["groups"]) == {"all", "exact", "lang", "lang:fr"}


def test_an_unknown_kind_names_those_that_exist(lexical: Command) -> None:
    status, _, err = lexical("--kinds", "nonsense")
    assert status == 1
    assert "exact" in err


def test_an_unknown_retriever_is_wrong_usage(command: Command, tools_file: Path, queries_file: Path) -> None:
    status, _, err = command("eval", "--tools", tools_file, "--queries", queries_file, "--retriever", "magic")
    assert status == 2
    assert "expected lexical, dense or hybrid" in err


def test_an_unknown_embedder_says_what_there_is(command: Command, tools_file: Path, queries_file: Path) -> None:
    status, _, err = command("eval", "--tools", tools_file, "--queries", queries_file, "--embedder", "word2vec")
    assert status == 1
    assert "sentence-transformers:NAME or openai:URL#MODEL" in err


@pytest.mark.usefixtures("fake_cross_encoders")
def test_a_reranker_orders_the_run_and_is_named(lexical: Command, tmp_path: Path) -> None:
    plain = lexical("--json", "--run-out", tmp_path / "plain.jsonl")[1]
    assert json.loads(plain)["arm"]["reranker"] == "off"
    found = json.loads(lexical("--json", "--reranker", "short-first", "--against", tmp_path / "plain.jsonl")[1])
    assert found["arm"]["reranker"] == "short-first"
    assert found["against"]["all"]["NDCG@10"]["value"] < 0


@pytest.mark.usefixtures("fake_cross_encoders")
def test_a_reranker_that_cannot_be_loaded_is_not_measured_without(lexical: Command) -> None:
    status, _, err = lexical("--reranker", "missing-model")
    assert status == 1
    assert "cannot load the reranker 'missing-model'" in err


def test_the_embedder_alone_has_no_reranker(command: Command, tools_file: Path, queries_file: Path) -> None:
    asked = ("--retriever", "dense", "--reranker", "some/model")
    status, _, err = command("eval", "--tools", tools_file, "--queries", queries_file, *asked)
    assert status == 2
    assert "dense is the embedder alone" in err


def test_a_broken_line_is_named(lexical: Command, queries_file: Path) -> None:
    queries_file.write_text('{"id": "1", "query": "x", "relevant": []}\n{"id":\n', encoding="utf-8")
    status, _, err = lexical()
    assert status == 1
    assert "queries.jsonl:2: is not JSON" in err


def test_two_runs_are_compared_query_by_query(lexical: Command, tmp_path: Path) -> None:
    own, worse = tmp_path / "own.jsonl", tmp_path / "worse.jsonl"
    lexical("--run-out", own)
    gains = json.loads(lexical("--json", "--against", own)[1])["against"]
    assert gains["all"]["Recall@5"] == {"value": 0.0, "low": 0.0, "high": 0.0}

    worse.write_text('{"id": "1", "hits": [], "answered": false}\n', encoding="utf-8")
    status, out, err = lexical("--json", "--against", worse)
    assert status == 0
    assert f"5 of 7 queries are not in {worse}, counted as missed there" in err
    found = json.loads(out)
    every = found["groups"]["all"]["measures"]["Recall@5"]["value"]
    assert found["against"]["all"]["Recall@5"]["value"] == pytest.approx(every)
    assert "Gain over worse.jsonl" in lexical("--against", worse)[1]


def test_a_run_that_cannot_be_read_is_named(lexical: Command, tmp_path: Path) -> None:
    status, _, err = lexical("--against", tmp_path / "nowhere.jsonl")
    assert status == 1
    assert "nowhere.jsonl: cannot be read" in err


def test_tools_without_queries_are_no_set(command: Command, tools_file: Path) -> None:
    status, _, err = command("eval", "--tools", tools_file)
    assert status == 2
    assert "--queries FILE" in err

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.retrieval.making import make_index, make_tool
from toolrouter.errors import ConfigError, ModelError
from toolrouter.evaluation.arms import Ranking, interleave, open_arm, retriever_arm, router_arm
from toolrouter.evaluation.report import by_kind, report
from toolrouter.evaluation.runs import read_run, run_queries, run_subqueries, write_run
from toolrouter.evaluation.sets import EvalSet, Query
from toolrouter.ports import Vectors
from toolrouter.retrieval.search import SearchOptions
from toolrouter.retrieval.search_index import build_search_index
from toolrouter.types import Hit, Tool, ToolId


def tool(name: str, server: str = "s") -> Tool:
    return Tool(ToolId(name), server, name, {"name": name}, "", 0)


def hits(*ids: str) -> tuple[Hit, ...]:
    return tuple(Hit(ToolId(one), 1 / rank) for rank, one in enumerate(ids, 1))


def ranking(*ids: str, answered: bool = True) -> Ranking:
    return Ranking(hits(*ids), answered, hits(*ids) if answered else (), 1.0)


def test_a_run_survives_the_disk(tmp_path: Path) -> None:
    run = {"ä": ranking("a/b", "c"), "2": ranking(answered=False)}
    write_run(tmp_path / "run.jsonl", run)
    read = read_run(tmp_path / "run.jsonl")
    assert [hit.id for hit in read["ä"].hits] == ["a/b", "c"]
    assert read["2"].answered is False


def test_a_run_of_another_program_is_checked(tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").write_text('{"id": "1", "hits": [{"score": 1}]}\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"run\.jsonl:1: expected"):
        read_run(tmp_path / "run.jsonl")


def test_several_queries_share_the_number_of_tools_returned() -> None:
    assert [hit.id for hit in interleave([hits("a", "b", "c"), hits("b", "d")], 3)] == ["a", "b", "d"]


def test_subqueries_are_one_request_each() -> None:
    asked: list[tuple[str, int]] = []

    def retriever(query: str, k: int) -> list[Hit]:
        asked.append((query, k))
        return list(hits(query))

    queries = [Query("1", "whole", ("x",), {}, ("x", "y")), Query("2", "alone", ("z",))]
    arm = retriever_arm(retriever)
    assert set(run_queries(arm, queries, depth=10)) == {"1", "2"}
    stepwise = run_subqueries(arm, queries, depth=10)
    assert [hit.id for hit in stepwise["1"].hits] == ["x", "y"]
    assert asked == [("whole", 10), ("alone", 10), ("x", 10), ("y", 10)]


def test_queries_that_the_run_never_answers_count_as_missed() -> None:
    found = EvalSet("t", (tool("a"), tool("b", "other")), (Query("1", "", ("a",)), Query("2", "", ("b",))))
    result = report(found, {"1": ranking("a")}, cost=lambda _: 7)
    every = result.groups["all"]
    assert every.measures["Recall@5"].value == 0.5
    assert every.returned_tokens == 3.5
    assert result.answering.answer_rate is not None
    assert result.answering.answer_rate.value == 0.5


def test_false_answers_are_those_to_queries_that_nothing_serves() -> None:
    found = EvalSet("t", (tool("a"),), (Query("1", "", ()), Query("2", "", ()), Query("3", "", ("a",))))
    run = {"1": ranking("a"), "2": ranking("a", answered=False), "3": ranking("a")}
    answering = report(found, run, cost=lambda _: 1).answering
    assert answering.unanswerable == 2
    assert answering.false_answer_rate is not None
    assert answering.false_answer_rate.value == 0.5


def test_servers_are_only_measured_where_there_are_several() -> None:
    found = EvalSet("t", (tool("a"),), (Query("1", "", ("a",)),))
    assert "ServerRecall@5" not in report(found, {"1": ranking("a")}, cost=lambda _: 1).groups["all"].measures


def test_languages_are_shown_together_and_apart() -> None:
    kinds = [Query("1", "", ("a",), kind="lang:fr"), Query("2", "", ("a",), kind="lang:de"), Query("3", "", ("a",))]
    assert {kind: len(queries) for kind, queries in by_kind(kinds).items()} == {
        "all": 3,
        "lang": 2,
        "lang:fr": 1,
        "lang:de": 1,
    }


class LetterEmbedder:
    """Knows nothing of a text but how many x it has."""

    name = "letters"
    dimensions = 2

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        angles = [text.count("x") / 20 for text in texts]
        return np.array([[math.cos(one), math.sin(one)] for one in angles], dtype=np.float32)

    def embed_queries(self, queries: Sequence[str]) -> Vectors:
        return self.embed_texts(queries)


def test_the_dense_arm_ranks_by_similarity_alone_and_always_answers() -> None:
    tools = [replace(tool(f"t{n}"), raw={"name": f"t{n}", "description": "x" * n}) for n in (2, 9, 16)]
    index = build_search_index(tools, {}, embedder=LetterEmbedder(), store=None)
    arm = open_arm(index, SearchOptions(k=1, retriever="dense"))
    ranking = arm(["x" * 9], 10)
    assert ranking.hits[0].id == "t9"
    assert len(ranking.hits) == 3
    assert ranking.answered
    assert [hit.id for hit in ranking.returned] == ["t9"]


def test_an_index_without_vectors_has_no_dense_arm() -> None:
    index = build_search_index([tool("a")], {}, embedder=None, store=None)
    with pytest.raises(ModelError):
        open_arm(index, SearchOptions(retriever="dense"))


def test_an_answer_counts_every_tool_that_it_names() -> None:
    tools = [make_tool(server, "list_branches", "List the branches of a repository") for server in ("a", "b")]
    found = router_arm(make_index(tools), SearchOptions())(["list the branches"], 20)
    assert sorted(hit.id for hit in found.hits) == sorted(hit.id for hit in found.returned)
    assert len(found.returned) == 2

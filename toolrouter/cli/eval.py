"""`toolrouter eval`: how well search finds what it should, on a set of queries whose tools are known."""

from __future__ import annotations

import random
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolrouter.cli import options
from toolrouter.cli.output import Progress, print_json, print_table, print_text, say

if TYPE_CHECKING:
    from toolrouter.evaluation.bootstrap import Interval
    from toolrouter.evaluation.report import Report
    from toolrouter.evaluation.runs import Run
    from toolrouter.evaluation.sets import EvalSet
    from toolrouter.retrieval.search import SearchOptions
    from toolrouter.types import JsonObject

_SHORT = {
    "Recall@1": "R@1",
    "Recall@5": "R@5",
    "Recall@10": "R@10",
    "NDCG@10": "NDCG@10",
    "Completeness@10": "C@10",
    "Success@1": "S@1",
    "MRR@10": "MRR@10",
    "ServerRecall@5": "server@5",
}


def command(
    tools: Annotated[Path, typer.Option("--tools", metavar="FILE", help="One tool per line: id, server, name, …")],
    queries: Annotated[
        Path, typer.Option("--queries", metavar="FILE", help="One query per line: id, query, relevant.")
    ],
    retriever: Annotated[str, typer.Option(help="lexical, dense (the embedder alone) or hybrid.")] = "hybrid",
    embedder: Annotated[
        str, typer.Option(help="builtin, builtin:FOLDER, sentence-transformers:NAME or openai:URL#MODEL.")
    ] = "builtin",
    depth: Annotated[int, typer.Option("-k", min=1, max=100, help="Hits per query in the ranking.")] = 20,
    kinds: Annotated[
        str, typer.Option(help="Only queries of these kinds, by comma; `lang` stands for all lang:xx.")
    ] = "",
    sample: Annotated[int, typer.Option(min=0, help="Only so many queries, drawn with a fixed seed; 0 is all.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=50, help="Most tools returned.")] = 8,
    min_score: Annotated[float, typer.Option(min=0, max=1, help="Least score of what is returned.")] = 0.05,
    token_budget: Annotated[int, typer.Option(min=1, help="Most tokens returned.")] = 1000,
    run_out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the rankings, one query per line.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Measures are taken on the first 10 of the ranking.

    What is *returned* of it obeys --limit, --min-score and --token-budget, and decides whether a query counts as
    answered. Measures are means over queries, with 95 % bootstrap intervals.
    """
    from toolrouter.cli.errors import UsageError
    from toolrouter.evaluation.indexing import line_cost
    from toolrouter.evaluation.report import report
    from toolrouter.evaluation.runs import write_run
    from toolrouter.evaluation.sets import read_set
    from toolrouter.retrieval.search import SearchOptions

    if retriever not in ("lexical", "dense", "hybrid"):
        raise UsageError(f"--retriever {retriever}: expected lexical, dense or hybrid.")
    found = _chosen(read_set(tools, queries), kinds, sample)
    for warning in found.warnings:
        say(f"warning: {warning}")
    shown = SearchOptions(k=limit, min_score=min_score, token_budget=token_budget, retriever=retriever)
    run, stepwise, arm = _run(found, shown, embedder, depth)
    if run_out:
        write_run(run_out, run)
        say(f"Wrote the rankings to {run_out}.")
    result = report(found, run, stepwise=stepwise, cost=line_cost(found))
    if json:
        head = {"name": found.name, "tools": len(found.tools), "queries": len(found.queries)}
        print_json({"set": head, "arm": arm, **result.to_json()})
    else:
        print_text(f"{found.name}: {len(found.queries)} queries, {len(found.tools)} tools, {retriever} retrieval\n")
        show(result)


def _run(found: EvalSet, shown: SearchOptions, embedder: str, depth: int) -> tuple[Run, Run, JsonObject]:
    """The run, the run of the sub-queries, and what was run."""
    from toolrouter.evaluation.arms import open_arm
    from toolrouter.evaluation.indexing import open_index
    from toolrouter.evaluation.runs import run_queries, run_subqueries, warm_up
    from toolrouter.settings_file import home_folder

    progress = Progress()
    index = open_index(
        found,
        retriever=shown.retriever,
        embedder=embedder,
        home=home_folder(),
        on_progress=lambda done, total: progress("embedding", done, total),
    )
    arm = open_arm(index, shown)
    warm_up(arm)
    total = len(found.queries)
    run = run_queries(arm, found.queries, depth=depth, on_done=lambda done: progress("searching", done, total))
    stepwise = run_subqueries(arm, found.queries, depth=depth)
    progress.clear()
    name = index.dense.embed.embedder.name if index.dense else ""
    return run, stepwise, {**asdict(shown), "servers": None, "embedder": name, "depth": depth}


def _chosen(found: EvalSet, kinds: str, sample: int) -> EvalSet:
    from toolrouter.errors import ConfigError

    wanted = {kind.strip() for kind in kinds.split(",") if kind.strip()}
    queries = [
        query for query in found.queries if not wanted or query.kind in wanted or query.kind.partition(":")[0] in wanted
    ]
    if not queries:
        have = ", ".join(sorted({query.kind or "none given" for query in found.queries}))
        raise ConfigError(f"--kinds {kinds}: no query is of that kind. Kinds here: {have}.")
    if 0 < sample < len(queries):
        kept = set(random.Random(0).sample(range(len(queries)), sample))  # noqa: S311 - a sample, not a secret
        queries = [query for at, query in enumerate(queries) if at in kept]
    return replace(found, queries=tuple(queries))


def show(result: Report) -> None:
    """Prints the tables of a report."""
    measures = [name for name in _SHORT if name in next(iter(result.groups.values())).measures] if result.groups else []
    rows = [
        (
            kind,
            str(group.queries),
            *(_percent(group.measures[name]) for name in measures),
            _percent(group.returned_recall),
            f"{group.returned_tools:.1f}",
            f"{group.returned_tokens:.0f}",
        )
        for kind, group in result.groups.items()
    ]
    columns = ("kind", "n", *(_SHORT[name] for name in measures), "returned", "tools", "tokens")
    if rows:
        print_table(columns, rows, right=columns[1:])
        print_text(
            "\n%, ± half the 95 % bootstrap interval. `returned` is the share of needed tools in the answer as it is "
            "shown;\n`tools` and `tokens` are what an answer shows on average."
        )
    answering = result.answering
    if answering.answer_rate:
        print_text(f"answered, of {answering.answerable} queries that tools serve: {_percent(answering.answer_rate)} %")
    if answering.false_answer_rate:
        print_text(
            f"answered, of {answering.unanswerable} queries that no tool serves: "
            f"{_percent(answering.false_answer_rate)} %"
        )
    print_text(f"latency: p50 {result.latency_p50_ms:.1f} ms, p95 {result.latency_p95_ms:.1f} ms")


def _percent(value: Interval) -> str:
    return f"{100 * value.value:.1f} ±{100 * value.half_width:.0f}"

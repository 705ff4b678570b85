"""`toolrouter eval`: how well search finds what it should, on a set of queries whose tools are known."""

from __future__ import annotations

import random
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolrouter.cli import options
from toolrouter.cli.output import Progress, counted, print_json, print_prose, print_table, print_text, say

if TYPE_CHECKING:
    from toolrouter.config import Settings
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

_LEGEND = {
    "n": "queries that need a tool",
    "R@1": "share of the needed tools that come first",
    "R@5": "share of the needed tools among the first 5 hits",
    "R@10": "the same, among the first 10",
    "NDCG@10": "how far up the needed tools stand among the first 10: 100 is on top, in one block",
    "C@10": "queries whose needed tools are all among the first 10",
    "S@1": "queries whose first hit is a needed tool",
    "MRR@10": "1 / rank of the first needed tool, 0 beyond the first 10",
    "server@5": "share of the needed servers that own one of the first 5 hits",
    "returned": "share of the needed tools in the answer as it is shown",
    "tools": "hits in an answer, on average",
    "tokens": "o200k tokens of an answer, on average",
}


def command(
    queries: Annotated[
        Path | None, typer.Option("--queries", metavar="FILE", help="One query per line: id, query, relevant.")
    ] = None,
    tools: Annotated[
        Path | None,
        typer.Option(
            "--tools", metavar="FILE", help="One tool per line: id, server, name, …; else those of the config."
        ),
    ] = None,
    from_log: Annotated[bool, typer.Option("--from-log", help="Your searches, and the calls after them.")] = False,
    retriever: Annotated[str | None, typer.Option(help="lexical, dense (the embedder alone) or hybrid.")] = None,
    embedder: Annotated[
        str | None, typer.Option(help="builtin, builtin:FOLDER, sentence-transformers:NAME or openai:URL#MODEL.")
    ] = None,
    reranker: Annotated[
        str | None, typer.Option(metavar="NAME|FOLDER", help="A cross-encoder for the leading hits, or off.")
    ] = None,
    lean: Annotated[float | None, typer.Option(min=-1, max=1, help="Of hybrid: to words (1) or vectors (-1).")] = None,
    depth: Annotated[int, typer.Option("-k", min=1, max=100, help="Hits per query in the ranking.")] = 20,
    kinds: Annotated[
        str, typer.Option(help="Only queries of these kinds, by comma; `lang` stands for all lang:xx.")
    ] = "",
    sample: Annotated[int, typer.Option(min=0, help="Only so many queries, drawn with a fixed seed; 0 is all.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, max=50, help="Most tools returned.")] = None,
    min_score: Annotated[float | None, typer.Option(min=0, max=1, help="Least score of what is returned.")] = None,
    token_budget: Annotated[int | None, typer.Option(min=1, help="Most tokens returned.")] = None,
    run_out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the rankings, one query per line.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Compare, query by query, with rankings from --run-out.")
    ] = None,
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Over the tools of a file, those of the config (without --tools), or a set that ships (without queries).

    Measures are taken on the first 10 of the ranking. What is *returned* of it obeys --limit, --min-score and
    --token-budget, and decides whether a query counts as answered. Measures are means over queries, with 95 % bootstrap
    intervals. What is not given is as the config has it, when its tools are searched or --config is given.
    """
    from toolrouter.cli.examples import embedder_of, read_examples, read_settings
    from toolrouter.config import Settings
    from toolrouter.evaluation.indexing import line_cost
    from toolrouter.evaluation.report import report
    from toolrouter.evaluation.runs import check_place, write_run

    own = from_log or (queries is not None and tools is None)
    settings = read_settings(config, required=own)[0] if own or config else Settings.model_validate({})
    shown = _options(
        settings,
        {"retriever": retriever, "lean": lean, "k": limit, "min_score": min_score, "token_budget": token_budget},
    )
    found = _chosen(read_examples(queries, tools, from_log=from_log, settings=settings), kinds, sample)
    for warning in found.warnings:
        say(f"warning: {warning}")
    other = _read_other(against, found) if against else None
    if run_out:
        check_place(run_out)
    models = (embedder or embedder_of(settings), _reranker(settings, shown, reranker))
    run, stepwise, arm = _run(found, shown, models, depth)
    if run_out:
        write_run(run_out, run)
        say(f"Wrote the rankings to {run_out}.")
    result = report(found, run, stepwise=stepwise, cost=line_cost(found))
    gains = _gains(found, run, other) if other is not None else None
    if json:
        head = {"name": found.name, "tools": len(found.tools), "queries": len(found.queries)}
        print_json({"set": head, "arm": arm, **result.to_json(), **({"against": gains} if gains else {})})
        return
    size = f"{counted(len(found.queries), 'query', 'queries')}, {counted(len(found.tools), 'tool')}"
    print_text(f"{found.name}: {size}, {shown.retriever} retrieval\n")
    show(result)
    if gains and against:
        _show_gains(gains, against)


def _options(settings: Settings, given: dict[str, Any]) -> SearchOptions:
    """The search of the config, changed by what the command line gives."""
    from toolrouter.cli.errors import UsageError
    from toolrouter.retrieval.search import SearchOptions

    retriever = given["retriever"]
    if retriever not in (None, "lexical", "dense", "hybrid"):
        raise UsageError(f"--retriever {retriever}: expected lexical, dense or hybrid.")
    changed = {key: value for key, value in given.items() if value is not None}
    return SearchOptions(**(settings.router.search.model_dump() | changed))


def _reranker(settings: Settings, shown: SearchOptions, given: str | None) -> str:
    """The reranker to run with; the embedder alone has none."""
    from toolrouter.cli.errors import UsageError
    from toolrouter.config import RERANKER_OFF

    if shown.retriever != "dense":
        return given or settings.router.reranker
    if given not in (None, RERANKER_OFF):
        raise UsageError(f"--reranker {given}: dense is the embedder alone; take lexical or hybrid.")
    return RERANKER_OFF


def _read_other(path: Path, found: EvalSet) -> Run:
    from toolrouter.evaluation.runs import read_run

    other = read_run(path)
    missing = sum(query.id not in other for query in found.queries if query.relevant)
    if missing:
        are = "is" if missing == 1 else "are"
        asked = counted(len(found.queries), "query", "queries")
        say(f"warning: {missing} of {asked} {are} not in {path}, counted as missed there")
    return other


def _gains(found: EvalSet, run: Run, other: Run) -> dict[str, dict[str, JsonObject]]:
    from toolrouter.evaluation.report import differences

    gains = differences(found, run, other)
    return {kind: {name: asdict(gain) for name, gain in measures.items()} for kind, measures in gains.items()}


def _show_gains(gains: dict[str, dict[str, JsonObject]], against: Path) -> None:
    names = [name for name in _SHORT if name != "ServerRecall@5"]
    columns = ("kind", *(_SHORT[name] for name in names))
    rows = [
        (
            kind,
            *(
                f"{100 * gain['value']:+.1f} [{100 * gain['low']:+.0f}, {100 * gain['high']:+.0f}]"
                for gain in (measures[name] for name in names)
            ),
        )
        for kind, measures in gains.items()
    ]
    print_prose(f"\nGain over {against.name}, paired query by query, in points; 0 outside the interval is no chance:\n")
    print_table(columns, rows, right=columns[1:])


def _run(found: EvalSet, shown: SearchOptions, models: tuple[str, str], depth: int) -> tuple[Run, Run, JsonObject]:
    """The run, the run of the sub-queries, and what was run with these models: an embedder and a reranker."""
    from toolrouter.evaluation.arms import open_arm
    from toolrouter.evaluation.indexing import open_index
    from toolrouter.evaluation.runs import run_queries, run_subqueries, warm_up
    from toolrouter.index.rerankers import make_reranker
    from toolrouter.settings_file import home_folder

    embedder, reranker = models
    progress = Progress()
    index = open_index(
        found,
        retriever=shown.retriever,
        embedder=embedder,
        home=home_folder(),
        on_progress=lambda done, total: progress("embedding", done, total),
    )
    arm = open_arm(index, shown, make_reranker(reranker, wait_s=None))
    warm_up(arm)
    total = len(found.queries)
    run = run_queries(arm, found.queries, depth=depth, on_done=lambda done: progress("searching", done, total))
    stepwise = run_subqueries(arm, found.queries, depth=depth)
    progress.clear()
    name = index.dense.embed.embedder.name if index.dense else ""
    return run, stepwise, {**asdict(shown), "servers": None, "embedder": name, "reranker": reranker, "depth": depth}


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
        print_prose("\nShares in %, means over queries, ± half the 95 % bootstrap interval; higher is better.")
        print_prose("\n".join(f"  {column:10}{_LEGEND[column]}" for column in columns[1:]) + "\n", indent=12)
    answering = result.answering
    if answering.answer_rate:
        asked = counted(answering.answerable, "query", "queries")
        print_prose(f"answered, of {asked} with a tool for it: {_percent(answering.answer_rate)} %")
    if answering.false_answer_rate:
        asked = counted(answering.unanswerable, "query", "queries")
        false = _percent(answering.false_answer_rate)
        print_prose(f"answered, of {asked} with no tool for it: {false} % (false answers; lower is better)")
    print_text(f"latency: p50 {result.latency_p50_ms:.1f} ms, p95 {result.latency_p95_ms:.1f} ms")


def _percent(value: Interval) -> str:
    return f"{100 * value.value:.1f} ±{100 * value.half_width:.0f}"

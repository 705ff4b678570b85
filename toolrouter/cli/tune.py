"""`toolrouter tune`: settings of search that fit the user's own queries, with what they bring and how sure that is."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolrouter.cli import options
from toolrouter.cli.output import (
    NOT_KNOWN,
    Progress,
    counted,
    made_folder,
    print_json,
    print_prose,
    print_table,
    print_text,
    say,
)

if TYPE_CHECKING:
    from toolrouter.config import Settings
    from toolrouter.evaluation.bootstrap import Interval
    from toolrouter.evaluation.sets import EvalSet
    from toolrouter.evaluation.tuning import Cut, Outcome, Tuning

FEW = 50


def command(
    queries: Annotated[Path | None, typer.Option("--queries", metavar="FILE", help="Queries with their tools.")] = None,
    tools: Annotated[Path | None, typer.Option("--tools", metavar="FILE", help="Their tools, if not your own.")] = None,
    from_log: Annotated[bool, typer.Option("--from-log", help="Your searches, and the calls after them.")] = False,
    miss_costs: Annotated[int, typer.Option(min=0, help="Tokens that a missing tool is worth.")] = 3_000,
    false_costs: Annotated[int, typer.Option(min=0, help="Tokens that an answer where nothing fits is worth.")] = 1_000,
    plot: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Where tune.html and tune.png go.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write without asking, if it is a gain.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write even if it may be no gain.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing to the config.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Set back what the last `tune` changed.")] = False,
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Fits the retriever, its `lean` towards words or vectors, `k`, `min_score` and `token_budget`.

    Without --queries and --from-log it fits to queries that ship with toolrouter, over recorded servers. The best
    settings are those under which an answer, and what is missing in it, cost the fewest tokens.
    """
    from toolrouter.cli.examples import read_examples, read_settings
    from toolrouter.evaluation.tuning import Costs
    from toolrouter.settings_file import home_folder

    if undo:
        _undo(home_folder())
        return
    settings, path = read_settings(config, required=from_log or (queries is not None and tools is None))
    found = read_examples(queries, tools, from_log=from_log, settings=settings)
    for warning in found.warnings:
        say(f"warning: {warning}")
    folder = made_folder(plot or home_folder() / "reports")
    fitted = _fit(found, settings, Costs(miss_costs, false_costs))
    files = _draw(fitted, found, folder)
    if json:
        print_json(_as_json(fitted, found, files))
    else:
        _show(fitted, found, files)
    if not dry_run:
        _write(fitted, path, yes=yes, force=force)


def _fit(found: EvalSet, settings: Settings, costs: Any) -> Tuning:
    from toolrouter.cli.examples import embedder_of
    from toolrouter.evaluation.indexing import line_cost, open_index
    from toolrouter.evaluation.sweep import rank_all
    from toolrouter.evaluation.tuning import WAYS, Cut, tune
    from toolrouter.settings_file import home_folder

    now = settings.router.search
    before = Cut(now.k, now.min_score, now.token_budget, now.retriever, now.lean)
    progress = Progress()
    index = open_index(
        found,
        retriever="hybrid",
        embedder=embedder_of(settings),
        home=home_folder(),
        on_progress=lambda done, total: progress("embedding", done, total),
    )
    total = len(found.queries)
    rankings = rank_all(
        index,
        found.queries,
        dict.fromkeys((before.way, *WAYS)),
        on_done=lambda done: progress("searching", done, total),
    )
    progress.clear()
    return tune(found.queries, rankings, before, cost=line_cost(found), costs=costs)


def _size(found: EvalSet) -> str:
    queries, tools = counted(len(found.queries), "query", "queries"), counted(len(found.tools), "tool")
    return f"{queries} over {tools} ({found.name})"


def _show(fitted: Tuning, found: EvalSet, files: list[Path]) -> None:
    print_text(f"{_size(found)}\n")
    rows = [
        _row("now", fitted.before, fitted.outcome_before),
        _row("tuned", fitted.after, fitted.outcome_after),
    ]
    print_table(_COLUMNS, rows, right=_COLUMNS[2:])
    print_prose(f"\n{_asked(found)}\n\n{verdict(fitted)}")
    if len(found.queries) < FEW:
        print_text(f"{counted(len(found.queries), 'query', 'queries')}: that is few, a hundred make this dependable.")
    for file in files:
        say(f"Plot: {file}")


_COLUMNS = (
    "",
    "retriever",
    "lean",
    "k",
    "min_score",
    "token_budget",
    "found %",
    "tokens",
    "answered %",
    "answered wrongly %",
)


def _row(name: str, cut: Cut, outcome: Outcome) -> tuple[str, ...]:
    return (
        name,
        cut.retriever,
        f"{cut.lean:g}",
        str(cut.k),
        f"{cut.min_score:g}",
        str(cut.token_budget),
        _percent(outcome.recall_of_answerable),
        f"{outcome.mean_tokens:.0f}",
        _percent(outcome.answer_rate),
        _percent(outcome.false_answer_rate),
    )


def _percent(share: float | None) -> str:
    return NOT_KNOWN if share is None else f"{100 * share:.1f}"


def _asked(found: EvalSet) -> str:
    """How queries were asked: what an answer finds depends on it."""
    stepwise = sum(bool(query.subqueries) for query in found.queries)
    if not stepwise:
        return "Each query is asked as it stands, as `toolrouter eval` does."
    return (
        f"{counted(stepwise, 'query has', 'queries have')} sub-queries, which are asked instead, in one request, as an "
        "agent would; `toolrouter eval` asks every query as it stands, and shows that way apart."
    )


def verdict(fitted: Tuning) -> str:
    """What the tuned settings bring, judged on queries they were not chosen on."""
    if fitted.after == fitted.before:
        return "What you have is the best of the settings tried."
    found = "A gain" if fitted.is_distinguishable else "Not distinguishable from what you have"
    lies = "lies" if fitted.is_distinguishable else "does not lie"
    return (
        f"{found}: what counts is the cost, tokens per query with misses counted, "
        f"and the interval of what is saved of it {lies} above 0.\n"
        "On queries the settings were not chosen on, with 95 % bootstrap intervals: "
        f"cost saved {_tokens(fitted.cost_gain)}; of its parts, needed tools found {_points(fitted.recall_gain)} "
        f"and tokens per answer saved {_tokens(fitted.tokens_gain)}."
    )


def _points(gain: Interval) -> str:
    return f"{100 * gain.value:+.1f} points [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"


def _tokens(gain: Interval) -> str:
    return f"{gain.value:+.0f} [{gain.low:+.0f}, {gain.high:+.0f}]"


def _as_json(fitted: Tuning, found: EvalSet, files: list[Path]) -> dict[str, Any]:
    def side(cut: Cut, outcome: Outcome) -> dict[str, Any]:
        return {
            "settings": asdict(cut),
            "recall": outcome.recall_of_answerable,
            "tokens": outcome.mean_tokens,
            "answer_rate": outcome.answer_rate,
            "false_answer_rate": outcome.false_answer_rate,
        }

    return {
        "set": {"name": found.name, "queries": len(found.queries), "tools": len(found.tools)},
        "before": side(fitted.before, fitted.outcome_before),
        "after": side(fitted.after, fitted.outcome_after),
        "gain": {
            "tokens_and_misses": asdict(fitted.cost_gain),
            "recall": asdict(fitted.recall_gain),
            "tokens": asdict(fitted.tokens_gain),
        },
        "distinguishable": fitted.is_distinguishable,
        "verdict": verdict(fitted),
        "frontier": fitted.frontier,
        "plots": [str(file) for file in files],
    }


def _draw(fitted: Tuning, found: EvalSet, folder: Path) -> list[Path]:
    from toolrouter.errors import ToolrouterError
    from toolrouter.evaluation.charts import Chart, Series, write_html, write_png

    def point(outcome: Outcome) -> list[tuple[float, float]]:
        return [(outcome.mean_tokens, 100 * outcome.mean_recall)]

    chart = Chart(
        "What an answer finds, and what it costs",
        "o200k tokens per answer",
        "needed tools found (%)",
        (
            Series("best reachable", [(tokens, 100 * recall) for tokens, recall in fitted.frontier]),
            Series("now", point(fitted.outcome_before), marks=True, colour=7),
            Series("tuned", point(fitted.outcome_after), marks=True, colour=1),
        ),
    )
    page, picture = folder / "tune.html", folder / "tune.png"
    rows = [
        _COLUMNS,
        _row("now", fitted.before, fitted.outcome_before),
        _row("tuned", fitted.after, fitted.outcome_after),
    ]
    about = f"{_size(found)}."
    write_html(page, chart, about, verdict(fitted), rows, _asked(found))
    try:
        write_png(picture, chart)
    except ToolrouterError as error:
        say(str(error))
        return [page]
    return [page, picture]


def _write(fitted: Tuning, path: Path | None, *, yes: bool, force: bool) -> None:
    changes = {key: value for key, value in asdict(fitted.after).items() if value != asdict(fitted.before)[key]}
    if not changes:
        return
    if path is None:
        say("There is no config to write this to; make one with `toolrouter init`.")
        return
    if not fitted.is_distinguishable and not force:
        say("Nothing is written: it may be no gain. --force writes it all the same.")
        return
    if not (yes or force) and not _agreed(f"Write {', '.join(changes)} to {path}?"):
        say("Nothing is written.")
        return
    from toolrouter.cli.tune_config import apply
    from toolrouter.settings_file import home_folder

    backup = apply(path, changes, home_folder())
    say(
        f"Wrote {path}"
        + (f" (as it was: {backup.name})." if backup else ".")
        + " `toolrouter tune --undo` sets it back."
    )


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        say(f"{question} Say so with --yes.")
        return False
    return typer.confirm(question, err=True)


def _undo(home: Path) -> None:
    from toolrouter.cli.tune_config import undo

    done = undo(home)
    if done.set_back:
        say(f"Set back in {done.config}: {', '.join(f'{key} = {value}' for key, value in done.set_back.items())}.")
    for key, value in done.kept.items():
        became = "was removed" if value is None else f"was changed to {value}"
        say(f"{key} {became} since; left as it is.")

"""`toolrouter demo`: the whole thing at work, on real servers, in a temporary folder."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import anyio
import typer

from toolrouter.cli import options
from toolrouter.cli.demo_host import Report, ask
from toolrouter.cli.demo_servers import Stage, set_the_stage
from toolrouter.cli.errors import DONE, FAILED
from toolrouter.cli.output import one_line, print_json, print_text, say


def command(
    json: options.Json = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the folder with config and state behind.")] = False,
    config: options.UnusedConfig = None,
) -> int:
    """Starts the official git, time and fetch servers beside recordings of others, and asks as a host would."""
    started = time.monotonic()
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="toolrouter-demo-"))
        if not keep:
            stack.callback(_remove, folder)
        stage = stack.enter_context(set_the_stage(folder))
        names = ", ".join(stage.real)
        say(f"Starting {len(stage.real)} real servers ({names}) and {len(stage.recorded)} recorded ones …")
        report = anyio.run(ask, stage, _environment(folder))
    report.elapsed_s = round(time.monotonic() - started, 1)
    if json:
        print_json(asdict(report))
    else:
        print_text(render(stage, report))
    if keep:
        say(f"Try it: TOOLROUTER_HOME={folder / 'home'} toolrouter list --config {stage.config}")
    return DONE if report.is_complete else FAILED


def _environment(folder: Path) -> dict[str, str]:
    """A home of its own, and no settings of the person's that would change the demo."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TOOLROUTER_")}
    return {**kept, "TOOLROUTER_HOME": str(folder / "home"), "PYTHONUTF8": "1"}


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def render(stage: Stage, report: Report) -> str:
    """The report as a person reads it."""
    cost = report.tokens
    saved = 100 - 100 * cost.router / max(1, cost.without)
    lines = [
        "",
        f"{report.servers} servers, {report.tools} tools; {', '.join(stage.real)} run, the others are recordings.",
        f"First indexing {report.index_s:.1f} s; start of the router to its first tool list {report.start_ms:.0f} ms.",
        "",
        "What the model is shown before it has done anything, in o200k tokens:",
        f"  every tool of every server {cost.without:>9,}",
        f"  toolrouter                 {cost.router:>9,}   ({saved:.1f} % less)",
    ]
    for number, question in enumerate(report.questions, 1):
        lines += ["", f"{number}. {question.text}   ({question.elapsed_ms:.0f} ms, {question.tokens} tokens)"]
        lines += [f"     {one_line(line, 130)}" for line in _shortened(question.answer)]
        call = question.call
        if call:
            lines.append(f"   → {call.name}: {one_line(call.text, 150)}   ({call.elapsed_ms:.0f} ms)")
        elif question.expected and question.expected not in question.hits:
            lines.append(f"   ✗ {question.expected} was not found")
    lines += [
        "",
        f"All {len(report.questions)} answers together cost {cost.answers:,} tokens; "
        f"the whole conversation {cost.router + cost.answers:,} instead of {cost.without:,}.",
        f"Done in {report.elapsed_s:.1f} s.",
    ]
    return "\n".join(lines)


def _shortened(answer: str) -> list[str]:
    """The first hits, and what the router says of all of them, if anything."""
    lines = answer.splitlines()
    remarks = [line for line in lines[3:] if "__" not in line]
    return lines[:3] + remarks

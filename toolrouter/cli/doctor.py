"""`toolrouter doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from toolrouter.cli import options
from toolrouter.cli.checks import Finding, examine
from toolrouter.cli.errors import DONE, FAILED
from toolrouter.cli.output import print_json, print_table, say

_MARKS = {"ok": "ok", "warning": "!", "problem": "✗"}


def command(
    connect: Annotated[bool, typer.Option(help="Also start every server and ask it for its tools.")] = True,
    config: options.Config = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> int:
    """Exit status 1 when there is a problem."""
    findings = examine(config, connect=connect, verbose=verbose)
    if json:
        print_json([asdict(finding) for finding in findings])
    else:
        _show(findings)
    return FAILED if any(finding.outcome == "problem" for finding in findings) else DONE


def _show(findings: list[Finding]) -> None:
    rows = [
        (_MARKS[each.outcome], each.subject, each.detail + (f"\n→ {each.fix}" if each.fix else "")) for each in findings
    ]
    print_table(("", "what", "finding"), rows)
    problems = sum(each.outcome == "problem" for each in findings)
    warnings = sum(each.outcome == "warning" for each in findings)
    if problems:
        say(f"{problems} to mend.")
    else:
        say(f"Nothing is broken; {warnings} to look at." if warnings else "Everything is in order.")

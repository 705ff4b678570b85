"""`toolrouter approve`: a person's yes."""

from __future__ import annotations

from typing import Annotated

import typer

from toolrouter.cli import options
from toolrouter.cli.deciding import decide_named
from toolrouter.guard.subjects import WAITING
from toolrouter.types import Status


def command(
    name: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME",
            help="Tools, prompts or resources by their qualified names, or servers: all that waits, else all rejected.",
        ),
    ],
    despite_findings: Annotated[
        bool, typer.Option("--despite-findings", help="Also what the scanner takes for an attack.")
    ] = False,
    config: options.Config = None,
) -> int:
    """Approves exactly the definition that is known now; if it changes again, it waits again. Shows what it says."""
    meant = (WAITING, (Status.REJECTED,))
    return decide_named(name, meant, approve=True, config=config, despite_findings=despite_findings)

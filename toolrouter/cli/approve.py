"""`toolrouter approve`: a person's yes."""

from __future__ import annotations

from typing import Annotated

import typer

from toolrouter.cli import options
from toolrouter.cli.deciding import decide_named
from toolrouter.types import Status


def command(
    name: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME", help="Tools, prompts or resources by their qualified names, or servers: all that waits."
        ),
    ],
    config: options.Config = None,
) -> None:
    """Approves exactly the definition that is known now; if it changes again, it waits again. Shows what it says."""
    decide_named(name, (Status.PENDING, Status.WITHDRAWN), approve=True, config=config)

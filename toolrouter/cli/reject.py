"""`toolrouter reject`: a person's no."""

from __future__ import annotations

from typing import Annotated

import typer

from toolrouter.cli import options
from toolrouter.cli.deciding import REJECTABLE, decide_named


def command(
    name: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME", help="Tools, prompts or resources by their qualified names, or servers: all of theirs."
        ),
    ],
    config: options.Config = None,
) -> int:
    """What is rejected is not listed, found, described or called. `approve` takes it back."""
    return decide_named(name, [REJECTABLE], approve=False, config=config)

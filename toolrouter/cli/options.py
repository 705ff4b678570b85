"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", metavar="FILE", help="The config; else TOOLROUTER_CONFIG, ./toolrouter.json, your own."
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log to stderr what happens.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
UnusedConfig = Annotated[
    Path | None, typer.Option("--config", "-c", hidden=True, help="Accepted as everywhere; this command needs none.")
]
Servers = Annotated[
    list[str] | None,
    typer.Option("--server", "-s", metavar="NAMES", help="Only of these servers; several by comma."),
]


def each_of(given: Sequence[str] | None) -> list[str]:
    """What an option names that is given repeatedly, with commas, or both; each once."""
    return list(dict.fromkeys(word.strip() for words in given or () for word in words.split(",") if word.strip()))

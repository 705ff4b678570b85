"""`toolrouter remove`: servers out of the config."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated

import typer

from toolrouter.cli import options
from toolrouter.cli.editing import save, sole_editor
from toolrouter.cli.output import say
from toolrouter.errors import NotFound
from toolrouter.settings_file import find_config, parse_config, read_config
from toolrouter.settings_file.edit import without_server


def command(
    name: Annotated[list[str], typer.Argument(metavar="NAME", help="Servers, as `list` names them.")],
    config: options.Config = None,
) -> None:
    """All or none of them. What was decided about their tools is remembered, should they come back."""
    with sole_editor():
        file = read_config(find_config(config))
        for each in name:
            present = file.document.get(file.servers_key, {})
            if each not in present:
                raise NotFound(f"{file.path} has no server `{each}`.", get_close_matches(each, present, 3, 0.5))
            file = parse_config(file.path, without_server(file, each))
        save(file.path, file.text)
    say(f"Removed {', '.join(name)}.")

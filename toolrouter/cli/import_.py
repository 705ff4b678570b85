"""`toolrouter import`: the servers of another host's config."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from toolrouter.cli import options
from toolrouter.cli.editing import open_for_editing, save_with, sole_editor
from toolrouter.cli.output import say
from toolrouter.hosts.reading import Found, servers_in


def command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Claude Desktop's, Cursor's, VS Code's … config. It stays as it is.")
    ],
    replace: Annotated[bool, typer.Option("--replace", help="Where a name is taken, theirs wins.")] = False,
    config: options.Config = None,
) -> None:
    """Takes over every server whose name is free; says which names clash."""
    found = servers_in(file.expanduser())
    with sole_editor():
        ours = open_for_editing(config)
        present = ours.document.get(ours.servers_key, {})
        clashing = [alias for alias, entry in found.servers.items() if alias in present and present[alias] != entry]
        taken = {
            alias: entry
            for alias, entry in found.servers.items()
            if alias not in present or (replace and alias in clashing)
        }
        _say_what_is_odd(found)
        for alias in clashing:
            outcome = "replaced" if replace else "kept as it is here; --replace takes theirs"
            say(f"{alias}: both files have a server of this name, and they differ: {outcome}.")
        if taken:
            save_with(ours, taken)
    same = len(found.servers) - len(taken) - (0 if replace else len(clashing))
    say(f"{len(taken)} taken over, {same} were there already, {len(found.skipped)} left out. {file} is unchanged.")
    for alias in taken:
        print(alias)


def _say_what_is_odd(found: Found) -> None:
    for name, alias in found.renamed.items():
        say(f"{name}: is called `{alias}` here, for tools are named after their server.")
    for name, reason in found.skipped.items():
        say(f"{name}: left out, {reason}.")

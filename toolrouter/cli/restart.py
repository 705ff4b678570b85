"""`toolrouter restart`: starts one server anew, for all hosts at once."""

from __future__ import annotations

from typing import Annotated

import typer

from toolrouter.cli import options
from toolrouter.cli.errors import DONE, FAILED
from toolrouter.cli.output import line_for_people, say
from toolrouter.daemon.control import find_place, restart_server
from toolrouter.errors import NotFound


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The server, as `list` names it.")],
    config: options.Config = None,
) -> int:
    """Calls of it that are under way fail. Past failures are forgotten: it is tried at once."""
    answer = restart_server(find_place(None if config is None else str(config)), name)
    if answer is None:
        say(f"No daemon runs, so nothing of `{name}` does. It is started when it is called.")
        return DONE
    if error := answer.get("error"):
        if "near" in answer:
            raise NotFound(str(error), answer["near"])
        say(f"{name} is {answer.get('state')}: {line_for_people(str(error), 400)}")
        return FAILED
    say(f"{name} is {answer.get('state')}" + (f", process {answer['pid']}." if answer.get("pid") else "."))
    return DONE

"""`toolrouter add`: one server into the config."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Annotated

import typer

from toolrouter.cli import options
from toolrouter.cli.editing import open_for_editing, save_with, sole_editor
from toolrouter.cli.errors import UsageError
from toolrouter.cli.output import say
from toolrouter.errors import ConfigError
from toolrouter.types import JsonObject

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_ADDRESS = re.compile(r"(?P<host>[a-z0-9][\w.-]*|\[[0-9a-f:.]+\])(?P<port>:\d{1,5})?(?P<path>/\S*)?", re.IGNORECASE)


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it; its tools are named NAME__tool.")],
    target: Annotated[
        list[str], typer.Argument(metavar="TARGET", help="A URL, or after -- a command with its arguments.")
    ],
    env: Annotated[list[str] | None, typer.Option("--env", "-e", metavar="K=V", help="Of the command.")] = None,
    header: Annotated[list[str] | None, typer.Option("--header", "-H", metavar="K=V", help="Of the URL.")] = None,
    kind: Annotated[str | None, typer.Option("--type", metavar="sse|http", help="What a URL speaks.")] = None,
    cwd: Annotated[str | None, typer.Option("--cwd", help="Folder in which the command starts.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Where the name is taken, this one wins.")] = False,
    config: options.Config = None,
) -> None:
    """`add time -- uvx mcp-server-time` or `add docs https://example.com/mcp --header "Authorization=Bearer ${TOKEN}"`.

    Write ${NAME} (in single quotes, for the shell) to keep a secret in the environment and out of the file.
    """
    is_url = len(target) == 1 and _URL.match(target[0]) is not None
    if not is_url:
        _refuse_address(target, cwd)
    if is_url and (env or cwd):
        raise UsageError("--env and --cwd are for commands; a URL takes --header.")
    if not is_url and (header or kind):
        raise UsageError("--header and --type are for URLs; a command takes --env.")
    entry = (
        remote_entry(target[0], _pairs("--header", header), kind)
        if is_url
        else local_entry(target, _pairs("--env", env), cwd)
    )
    with sole_editor():
        file = open_for_editing(config)
        if name in file.document.get(file.servers_key, {}) and not replace:
            raise ConfigError(f"{file.path} has a server `{name}` already. Choose another name, or --replace it.")
        save_with(file, {name: entry})
    say(f"Next: `toolrouter index {name}`.")


def _refuse_address(words: list[str], cwd: str | None) -> None:
    """Raises UsageError for a URL without its scheme, which would be started as a program."""
    found = _ADDRESS.fullmatch(words[0]) if len(words) == 1 else None
    if found is None or not (
        found["port"] or (found["path"] and ("." in found["host"] or found["host"] == "localhost"))
    ):
        return
    if shutil.which(words[0]) or Path(cwd or "").expanduser().joinpath(words[0]).exists():
        return
    is_public = not found["port"] and found["host"].rpartition(".")[2].isalpha() and found["host"] != "localhost"
    url = f"{'https' if is_public else 'http'}://{words[0]}"
    raise UsageError(f"No program or file is called {words[0]}; did you mean {url}?")


def remote_entry(url: str, headers: dict[str, str], kind: str | None) -> JsonObject:
    """Raises UsageError."""
    if not url.lower().startswith(("http://", "https://")):
        raise UsageError(f"{url} cannot be reached: expected http:// or https://.")
    if kind not in (None, "sse", "http", "streamable-http"):
        raise UsageError(f"--type {kind} is unknown: expected sse or http.")
    return {"url": url, **({"type": kind} if kind else {}), **({"headers": headers} if headers else {})}


def local_entry(words: list[str], env: dict[str, str], cwd: str | None) -> JsonObject:
    """A single word with spaces is a whole command in quotes."""
    import shlex

    if len(words) == 1 and " " in words[0].strip():
        words = shlex.split(words[0])
    if not words or not words[0]:
        raise UsageError("The command is empty.")
    entry: JsonObject = {"command": words[0], "args": words[1:]}
    return {**entry, **({"env": env} if env else {}), **({"cwd": cwd} if cwd else {})}


def _pairs(option: str, given: list[str] | None) -> dict[str, str]:
    pairs = {}
    for each in given or ():
        found = re.match(r"\s*([^=:\s]+)\s*(?:=|:\s)\s*(.*)", each, re.DOTALL)
        if not found:
            raise UsageError(f"{option} {each.split('=')[0]}: expected NAME=VALUE.")
        pairs[found[1]] = found[2]
    return pairs

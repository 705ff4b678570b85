"""The group over all commands. Knows their names and one-line descriptions; imports a command when it is called."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib import import_module
from inspect import cleandoc
from typing import Any

import typer
from typer.core import TyperGroup

from toolrouter import __version__
from toolrouter.cli.errors import guarded, status_of

COMMANDS = {
    "init": "Write a commented config to start from.",
    "import": "Take over the servers of a host's config file.",
    "add": "Add a server to the config: a command or a URL.",
    "remove": "Remove servers from the config.",
    "list": "Show the servers: state, tools, tokens, last error.",
    "tools": "Show the tools and whether they may be used.",
    "index": "Ask the servers for their tools and make them searchable.",
    "search": "Find the tools that serve a task.",
    "describe": "Show the full definitions of tools.",
    "call": "Call a tool.",
    "review": "Look at what waits for your decision, and decide.",
    "approve": "Approve what a server offers after it changed.",
    "reject": "Refuse what a server offers, for good.",
    "scan": "Look for definitions that try to steer the model.",
    "audit": "Show who called what, and what became of it.",
    "serve": "Be one MCP server in place of all of them.",
    "login": "Log in to a remote server, in the browser.",
    "logout": "Forget the login to a remote server.",
    "install": "Put toolrouter into Claude, Cursor, VS Code and other hosts.",
    "uninstall": "Bring a host's config back as it was.",
    "status": "Show the daemon: its hosts, and what runs.",
    "stop": "Stop the daemon.",
    "restart": "Start a server anew in the daemon.",
    "logs": "Show what was logged.",
    "doctor": "Check config, servers, index and model; say how to mend them.",
    "demo": "Show it at work on real servers, in a minute.",
    "eval": "Measure search on queries whose tools are known.",
    "tune": "Fit what search returns to your own queries.",
    "bench": "Count what the model is shown, with toolrouter and without.",
    "schema": "Print the JSON Schema of the config file.",
}
HINTS = {
    ("add", "No such option"): "A command with options goes behind `--`: toolrouter add NAME -- npx -y PACKAGE",
    ("call", "Got unexpected extra argument"): """Arguments go behind --args: toolrouter call NAME --args '{"a": 1}'""",
}
"""What to add to a complaint about a command line, by the command and how the complaint begins."""
_HELP = """One MCP server in place of dozens.

toolrouter asks your MCP servers for their tools, indexes them, and shows the model only those that serve the task.
"""


def module_of(name: str) -> str:
    """The module a command lives in; Python's own words get an underscore."""
    return f"toolrouter.cli.{name}_" if name == "import" else f"toolrouter.cli.{name}"


class CommandGroup(TyperGroup):
    """Looks commands up in COMMANDS and imports them when they are called."""

    def list_commands(self, _ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(module_of(cmd_name))
        single = _plain_app()
        text = f"{COMMANDS[cmd_name]}\n\n{cleandoc(module.command.__doc__ or '')}"
        single.command(cmd_name, help=text)(guarded(module.command))
        return typer.main.get_command(single)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            # Whose classes these are, typer's or click's, depends on the version of typer.
            said, command = getattr(error, "message", ""), getattr(getattr(error, "ctx", None), "info_name", "")
            for (name, beginning), hint in HINTS.items():
                if name == command and str(said).startswith(beginning):
                    error.message = f"{str(said).rstrip('.')}. {hint}"  # type: ignore[attr-defined]
            raise

    def format_commands(self, _ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _plain_app(**settings: Any) -> typer.Typer:
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        **settings,
    )


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"toolrouter {__version__} (Python {platform.python_version()})")
        raise typer.Exit


app = _plain_app(cls=CommandGroup, no_args_is_help=True, help=_HELP)


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Show the version."),
) -> None:
    """The options that stand before a command."""


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit status."""
    if arguments[:1] == ["serve"]:
        from toolrouter.cli.serve import serve_command

        return serve_command(arguments[1:])
    try:
        app(list(arguments), prog_name="toolrouter")
    except BaseException as error:  # noqa: BLE001 - the boundary: every outcome becomes a status
        return status_of(error)
    return 0

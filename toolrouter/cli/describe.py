"""`toolrouter describe`: definitions, verbatim."""

from __future__ import annotations

import json as json_text
from typing import TYPE_CHECKING, Annotated

import typer

from toolrouter.catalog.signature import signature
from toolrouter.cli import options
from toolrouter.cli.errors import DONE, FAILED, message_of
from toolrouter.cli.output import counted, print_json, print_text, printable, say
from toolrouter.cli.session import index_for, with_router
from toolrouter.cli.waiting import explain
from toolrouter.errors import NotFound, ToolrouterError, UpstreamError
from toolrouter.types import Tool

if TYPE_CHECKING:
    from toolrouter.app import Running


def command(
    name: Annotated[list[str], typer.Argument(metavar="NAME", help="Tools, as `search` and `tools` name them.")],
    config: options.Config = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> int:
    """Prints what the server said, unchanged. A name that leads nowhere is said, and the others are shown."""

    async def find(router: Running) -> tuple[list[Tool], list[ToolrouterError]]:
        problems: list[ToolrouterError] = []
        for each_name in name:
            try:
                await index_for(router, each_name)
            except UpstreamError as error:
                problems.append(error)
        found = await router.describe(name)
        # A server that failed has been said to have: that its tool is unknown is no news.
        said = {word for word in found for error in problems if f"`{word}`" in str(error)}
        missing = {word: each for word, each in found.items() if isinstance(each, NotFound) and word not in said}
        problems += [explain(router, word, each) for word, each in missing.items()]
        return [each for each in found.values() if isinstance(each, Tool)], problems

    tools, problems = with_router(config, find, verbose=verbose)
    if problems and not tools:
        raise ExceptionGroup("nothing was found", problems)
    if json:
        print_json([_entry(tool) for tool in tools])
    else:
        print_text("\n\n".join(_page(tool) for tool in tools))
    for problem in problems:
        say(f"toolrouter: {message_of(problem)}")
    return FAILED if problems else DONE


def _entry(tool: Tool) -> dict[str, object]:
    return {
        "name": tool.id,
        "server": tool.server,
        "status": tool.status.value,
        "hash": tool.hash,
        "tokens": tool.tokens,
        "definition": tool.raw,
    }


def _page(tool: Tool) -> str:
    schema = json_text.dumps(tool.input_schema, indent=2, ensure_ascii=False)
    kind = "says that it only reads" if tool.read_only else "may change things"
    tokens = counted(tool.tokens, "token")
    return printable(
        f"{signature(tool)}\n"
        f"server {tool.server}, {tool.status.value}, {tokens}, {kind}, sha256 {tool.hash[:12]}…\n\n"
        f"{tool.description}\n\nArguments: {schema}"
    )

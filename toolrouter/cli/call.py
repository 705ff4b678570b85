"""`toolrouter call`: one call, from the shell."""

from __future__ import annotations

import json as json_text
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolrouter.cli import options
from toolrouter.cli.errors import DONE, FAILED, UsageError
from toolrouter.cli.output import print_json, print_text
from toolrouter.cli.session import index_for, with_router
from toolrouter.cli.waiting import explain
from toolrouter.errors import NotFound, ToolrouterError
from toolrouter.server.results import error_result
from toolrouter.server.words import refusal_to_write
from toolrouter.types import JsonObject, Tool

if TYPE_CHECKING:
    from toolrouter.app import Running


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The tool, as `search` and `tools` name it.")],
    args: Annotated[str, typer.Option("--args", "-a", metavar="JSON", help="JSON, @FILE, or - for stdin.")] = "{}",
    read_only: Annotated[bool, typer.Option("--read-only", help="Only if the tool says that it only reads.")] = False,
    config: options.Config = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> int:
    """Prints the result; with --json exactly as the server sent it. Exit status 1 when the server says it failed."""
    arguments = parse_arguments(args)

    async def work(router: Running) -> JsonObject:
        await index_for(router, name)
        try:
            answered = await router.call(name, arguments, read_only=read_only)
            if read_only and answered.get("isError") is True:
                _check_ran(router.catalog.snapshot.find(name), answered)
        except NotFound as error:
            raise explain(router, name, error) from error
        return answered

    result = with_router(config, work, verbose=verbose)
    if json:
        print_json(result)
    else:
        print_text("\n".join(shown_parts(result)))
    return FAILED if result.get("isError") is True else DONE


def _check_ran(tool: Tool, answered: JsonObject) -> None:
    """The router's refusal is worded for a model: raises ToolrouterError with what a person can do instead."""
    if answered == error_result(refusal_to_write(tool)):
        raise ToolrouterError(
            f"`{tool.id}` is not known to be read-only, so with `--read-only` it was not called. Leave that out to "
            f"call it; if it only reads, name it under `toolrouter.servers.{tool.server}.read` in the config."
        )


def parse_arguments(text: str) -> JsonObject:
    """The arguments of a call from JSON text, `@FILE` or `-` (stdin). Raises UsageError."""
    source = "--args"
    if text == "-":
        source, text = "stdin", sys.stdin.read()
    elif text.startswith("@"):
        source = text[1:]
        try:
            text = Path(source).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--args {text}: the file cannot be read: {error}") from error
    try:
        arguments = json_text.loads(text)
    except json_text.JSONDecodeError as error:
        raise UsageError(
            f'{source} is not JSON ({error}). Expected an object, as in --args \'{{"path": "x"}}\''
        ) from error
    if not isinstance(arguments, dict):
        raise UsageError(f'{source} must be a JSON object, as in --args \'{{"path": "x"}}\', not {text[:40]}')
    return arguments


def shown_parts(result: JsonObject) -> list[str]:
    """What a person wants to see of a result: its texts, and a word for what is no text."""
    content = result.get("content")
    parts = [_shown(part) for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    if not parts and "structuredContent" in result:
        parts = [json_text.dumps(result["structuredContent"], indent=2, ensure_ascii=False)]
    return parts or [json_text.dumps(result, indent=2, ensure_ascii=False)]


def _shown(part: dict[str, Any]) -> str:
    match part.get("type"):
        case "text":
            return str(part.get("text", ""))
        case "image" | "audio" as kind:
            size = len(str(part.get("data", ""))) * 3 // 4
            return f"[{kind} {part.get('mimeType', '')}, {size:,} bytes; --json shows it]"
        case "resource_link":
            return f"[{part.get('name', 'resource')}: {part.get('uri', '')}]"
        case "resource":
            resource = part.get("resource")
            held = resource if isinstance(resource, dict) else {}
            return str(held.get("text") or f"[resource {held.get('uri', '')}]")
        case _:
            return json_text.dumps(part, ensure_ascii=False)

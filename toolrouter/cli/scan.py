"""`toolrouter scan`: which definitions try to steer the model."""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolrouter.cli import options
from toolrouter.cli.output import counted, one_line, print_text, say
from toolrouter.errors import ConfigError
from toolrouter.guard.scan import (
    Tier,
    Verdict,
    build_context,
    make_visible,
    scan_definition,
)
from toolrouter.types import JsonObject, Tool, ToolId

if TYPE_CHECKING:
    from toolrouter.app import Running
    from toolrouter.guard.scan import ScanContext
    from toolrouter.guard.subjects import Subject

Scanned = tuple[str, Verdict]


def command(
    tools: Annotated[
        Path | None,
        typer.Option("--tools", metavar="FILE", help="Scan the definitions of a JSON Lines file, not of your servers."),
    ] = None,
    config: options.Config = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> int:
    """Reads what is known from the last time each server was reached; starts no server and asks no network.

    Each finding is at one of two tiers. `block`: almost certainly an attack. `review`: a person should look, since
    honest servers write such things too. With --json there is one object per definition and line:
    {"id", "tier", "findings"}, in the order of the definitions, with tier "clean", "review" or "block".

    A line of FILE has "name", "server", "description", "input_schema" and "id", or the whole definition under "raw"
    or beside "server" (inputSchema, annotations and all). Every line is context for the others: a text that names a
    tool of another server is suspicious. "peers" lists tools that are context only.

    Exit status: 0 when nothing is at block tier, 1 when something is.
    """
    scanned = list(_scan_file(tools)) if tools else _scan_catalog(config, verbose=verbose)
    if json:
        _print_lines(scanned)
    else:
        _show(scanned)
    return int(any(verdict.tier is Tier.BLOCK for _, verdict in scanned))


def _scan_catalog(config: Path | None, *, verbose: bool) -> list[Scanned]:
    from toolrouter.cli.session import with_router
    from toolrouter.guard.subjects import TOOL, scanned_as, subjects

    async def known(router: Running) -> tuple[list[Tool], list[Subject]]:
        return list(router.catalog.snapshot.tools.values()), subjects(router.catalog, {})

    tools, everything = with_router(config, known, verbose=verbose)
    context = build_context(tools)
    return [
        (
            each.id if each.kind == TOOL else f"{each.id} ({each.kind})",
            scan_definition(each.said, server=each.server, kind=scanned_as(each), context=context),
        )
        for each in everything
    ]


def _scan_file(path: Path) -> Iterator[Scanned]:
    rows = list(_rows(path))
    peers = [_peer(peer) for row in rows for peer in row.get("peers") or () if isinstance(peer, dict)]
    tools = [tool_of(row) for row in rows]
    context: ScanContext = build_context([*tools, *peers])
    for tool, row in zip(tools, rows, strict=True):
        yield (
            tool.id,
            scan_definition(tool.raw, server=tool.server, kind=str(row.get("kind_of", "tool")), context=context),
        )


def _rows(path: Path) -> Iterator[JsonObject]:
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="surrogateescape").split("\n")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}.") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _row(line, path, number)


def _row(line: str, path: Path, number: int) -> JsonObject:
    try:
        row: Any = json_format.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}:{number} is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise ConfigError(f"{path}:{number} is not a JSON object but a {type(row).__name__}.")
    return row


_ABOUT_THE_ROW = {"id", "server", "source", "split", "kind", "kind_of", "peers", "orig_id", "attack_type", "visible_in"}
_ABOUT_THE_ROW |= {"input_schema", "output_schema", "tokens", "hash", "raw"}


def tool_of(row: JsonObject) -> Tool:
    """The tool a row describes. Its hash is empty: nothing of it is kept."""
    raw = row["raw"] if isinstance(row.get("raw"), dict) else _definition(row)
    name, server = str(raw.get("name", "")), str(row.get("server", ""))
    return Tool(
        id=ToolId(str(row.get("id", f"{server}__{name}"))), server=server, name=name, raw=raw, hash="", tokens=0
    )


def _definition(row: JsonObject) -> JsonObject:
    """The definition in a row that names its parts as the retrieval sets do, or as the protocol does."""
    raw = {key: value for key, value in row.items() if key not in _ABOUT_THE_ROW}
    for ours, theirs in (("input_schema", "inputSchema"), ("output_schema", "outputSchema")):
        if row.get(ours) is not None:
            raw.setdefault(theirs, row[ours])
    return raw


def _peer(row: JsonObject) -> Tool:
    return tool_of({**row, "id": ""})


def _print_lines(scanned: Iterable[Scanned]) -> None:
    """Plain ASCII: what a server wrote reaches no terminal as it is."""
    for name, verdict in scanned:
        sys.stdout.write(json_format.dumps({"id": name, **verdict.as_json()}) + "\n")
    sys.stdout.flush()


def _show(scanned: list[Scanned]) -> None:
    for name, verdict in scanned:
        if verdict.tier is not Tier.CLEAN:
            print_text(f"{verdict.tier.value.upper()}  {make_visible(name)}")
            for finding in verdict.findings:
                print_text(f"  {finding.rule} at {make_visible(finding.where) or '/'}: {finding.explanation}")
                if finding.excerpt:
                    print_text(f"    {one_line(finding.excerpt, 300)}")
    count = {tier: sum(verdict.tier is tier for _, verdict in scanned) for tier in Tier}
    tiers = ", ".join(f"{number} {tier.value}" for tier, number in reversed(count.items()))
    say(f"{counted(len(scanned), 'definition')}: {tiers}.")

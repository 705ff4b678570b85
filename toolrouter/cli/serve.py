"""`toolrouter serve`: what a host starts.

Its options are read with argparse: a host waits for the first answer, and the framework of the other commands would
add a tenth of a second to it.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from toolrouter.app import open_router
from toolrouter.cli.errors import DONE, status_of
from toolrouter.cli.output import say
from toolrouter.config import Exposure, Settings
from toolrouter.settings_file import ConfigWatch, home_folder, load_settings
from toolrouter.telemetry.logs import configure_logs

_EXPLANATION = """\
Be one MCP server in place of all that the config names: on stdin and stdout for a host that starts it, or with --http
for hosts that connect to it. Hosts on stdin and stdout share one daemon, which the first of them starts.
In a host's config: "toolrouter": {"command": "toolrouter", "args": ["serve"]}.
"""
_ADDRESS = re.compile(r"(?:(?P<host>\[[0-9A-Fa-f:.%]+\]|[^:\[\]]*):)?(?P<port>\d{1,5})")


def serve_command(arguments: Sequence[str]) -> int:
    """Serves until the host leaves, and returns the exit status."""
    try:
        options = _parser().parse_args(arguments)
        _serve(options)
    except BaseException as error:  # noqa: BLE001 - the boundary: every outcome becomes a status
        return status_of(error)
    return DONE


def command() -> None:
    """Stands in the list of commands: who calls `serve` is sent to `serve_command` before the list is looked at."""
    raise SystemExit(serve_command(["--help"]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="toolrouter serve", description=_EXPLANATION, allow_abbrev=False)
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="the config")
    parser.add_argument(
        "--http", type=parse_address, metavar="HOST:PORT", help="serve Streamable HTTP there, not stdio"
    )
    parser.add_argument(
        "--exposure", type=Exposure, choices=list(Exposure), metavar="|".join(Exposure), help="what hosts see"
    )
    parser.add_argument(
        "--token", help="bearer token asked of HTTP hosts; else TOOLROUTER_TOKEN, the config, or a new one"
    )
    parser.add_argument(
        "--no-daemon", action="store_true", help="serve this host in this process, with servers of its own"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="log to stderr what happens")
    return parser


def parse_address(text: str) -> tuple[str, int]:
    """`HOST:PORT`, `:PORT` or `PORT`; this machine alone when no host is named."""
    found = _ADDRESS.fullmatch(text)
    port = int(found["port"]) if found else -1
    if not found or not 0 <= port < 2**16:
        raise argparse.ArgumentTypeError(f"{text!r} is no address: expected HOST:PORT, as in 127.0.0.1:8765")
    return (found["host"] or "127.0.0.1").strip("[]"), port


def _serve(options: argparse.Namespace) -> None:
    loaded = load_settings(options.config)
    token = options.token or os.environ.get("TOOLROUTER_TOKEN", "")
    watch = ConfigWatch(loaded, lambda settings: overridden(settings, options.exposure, token))
    settings = watch.settings
    configure_logs(
        level="debug" if options.verbose else settings.router.log_level,
        stderr_level="debug" if options.verbose else None,
        home=home_folder(),
        secrets=loaded.secrets | {settings.router.http.token},
    )
    for warning in loaded.warnings:
        say(f"warning: {warning}")
    anyio.run(partial(_run, watch, options.http))


def overridden(settings: Settings, exposure: Exposure | None, token: str) -> Settings:
    """The settings with what the command line says in their place."""
    changes: dict[str, Any] = {"exposure": exposure} if exposure else {}
    if token:
        changes["http"] = settings.router.http.model_copy(update={"token": token})
    return settings.model_copy(update={"router": settings.router.model_copy(update=changes)}) if changes else settings


async def _run(watch: ConfigWatch, address: tuple[str, int] | None) -> None:
    async with open_router(watch.settings, home=home_folder(), serving=True, watch=watch) as running:
        if address is None:
            from toolrouter.server.stdio import serve_stdio

            await serve_stdio(running.router)
        else:
            from toolrouter.server.http import serve_http

            await serve_http(running.router, *address)

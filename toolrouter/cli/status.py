"""`toolrouter status`: the daemon, its hosts, what runs."""

from __future__ import annotations

import time
from typing import Any

from toolrouter.cli import options
from toolrouter.cli.errors import DONE, FAILED
from toolrouter.cli.output import line_for_people, print_json, print_table, say
from toolrouter.daemon.control import daemon_status, find_place


def command(config: options.Config = None, json: options.Json = False) -> int:
    """Exit status 1 when no daemon runs. Hosts start it, and it leaves some time after the last of them."""
    found = daemon_status(find_place(None if config is None else str(config)))
    if json:
        print_json({"running": found is not None, **_without_secrets(found or {})})
    elif found is None:
        say("No daemon runs. The next host that starts `toolrouter serve` starts it.")
    else:
        _show(found)
    return DONE if found is not None else FAILED


def _without_secrets(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key != "answer"}


def _show(found: dict[str, Any]) -> None:
    hosts, servers = found["hosts"], found["servers"]
    say(f"Daemon {found['pid']}, toolrouter {found['version']}, up for {_span(found['since'])}: {found['config']}")
    if found["config_problem"]:
        say(f"The config as it stands is not in effect, the one before it is: {found['config_problem']}")
    for host in hosts:
        say(f"host {host['name'] or '(nothing said yet)'}, process {host['pid']}, for {_span(host['since'])}")
    if not hosts:
        say("No host is connected.")
    rows = [
        (alias, _state(each), str(each["pid"] or ""), _span(each["since"]), line_for_people(each["error"], 100))
        for alias, each in servers.items()
    ]
    print_table(("server", "state", "process", "for", "error"), rows, right=("process",))


def _state(server: dict[str, Any]) -> str:
    """Of the connection that hosts share, and how many have one of their own."""
    own = server.get("host_connections")
    return f"{server['state']}, {own} for single hosts" if own else str(server["state"])


def _span(since: float) -> str:
    seconds = max(0, int(time.time() - since))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"

"""`toolrouter stop`: ends the daemon and the servers it runs."""

from __future__ import annotations

from toolrouter.cli import options
from toolrouter.cli.output import say
from toolrouter.daemon.control import find_place, stop_daemon, wait_ended


def command(config: options.Config = None) -> None:
    """Hosts stay connected: the next thing one of them asks for starts it again."""
    answer = stop_daemon(find_place(None if config is None else str(config)))
    if answer is None:
        say("No daemon runs.")
        return
    wait_ended(int(answer["pid"]))
    say(f"Stopped the daemon (process {answer['pid']}).")

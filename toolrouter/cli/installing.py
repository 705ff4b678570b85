"""What install and uninstall share: hosts by name, how toolrouter is started, diffs, the question."""

from __future__ import annotations

import difflib
import json
import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolrouter.cli.errors import UsageError
from toolrouter.cli.output import print_text, printable, say
from toolrouter.errors import ConfigError, NotFound

if TYPE_CHECKING:
    from toolrouter.hosts.places import Host, Surroundings

HIDDEN = "•••"


def surroundings() -> Surroundings:
    from toolrouter.hosts.places import Surroundings

    return Surroundings.here()


def hosts_named(names: Sequence[str] | None, *, everywhere: bool) -> list[Host]:
    """Raises NotFound for a name that is no host's, UsageError when there is nothing to do."""
    from toolrouter.hosts.places import HOSTS, present_hosts

    for name in names or ():
        if name not in HOSTS:
            near = difflib.get_close_matches(name, HOSTS, 3, 0.4)
            raise NotFound(f"No host is called `{name}`. Known: {', '.join(HOSTS)}.", near)
    found = present_hosts(surroundings()) if everywhere else []
    chosen = {host.id: host for host in (*(HOSTS[name] for name in names or ()), *found)}
    if not chosen:
        raise UsageError(f"No host is found here; name one of {', '.join(HOSTS)}.")
    return list(chosen.values())


def launch_words(config: Path) -> tuple[list[str], dict[str, str]]:
    """The command that starts this toolrouter from anywhere, and the variables it needs to find the same state."""
    words = [*_program(), "serve", "--config", str(config.expanduser().absolute())]
    home = os.environ.get("TOOLROUTER_HOME")
    return words, {"TOOLROUTER_HOME": str(Path(home).expanduser().absolute())} if home else {}


def _program() -> list[str]:
    """Raises ConfigError where what runs may be gone one day: a host must not fetch whatever has its name then."""
    suffix = ".exe" if sys.platform == "win32" else ""
    beside = Path(sys.executable).absolute().with_name(f"toolrouter{suffix}")
    if "archive-v" in str(beside):
        raise ConfigError(
            f"toolrouter runs from a cache of uv ({beside.parent}), which may be emptied, so hosts cannot be told to "
            "start it. Install it from its checkout, as README shows, and run that one."
        )
    if beside.is_file():
        return [str(beside)]
    return [str(Path(sys.executable).absolute()), "-m", "toolrouter"]


def print_diff(path: Path, before: str, after: str, secrets: Collection[str]) -> None:
    """A unified diff in which no secret can be read."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"{path} (now)", f"{path} (then)", lineterm="", n=2
    )
    text = "\n".join(printable(line.rstrip("\r")) for line in lines)
    for secret in sorted(secrets, key=len, reverse=True):
        for written in (secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
            text = text.replace(written, HIDDEN)
    if text:
        print_text(text)


def confirmed(question: str, *, yes: bool) -> bool:
    """Raises UsageError where nobody can be asked."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError("Nobody is there to ask: say --yes to do it, or --dry-run to look only.")
    say(f"{question} [y/N]")
    return input().strip().lower() in ("y", "yes")

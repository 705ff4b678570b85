"""`toolrouter uninstall`: a host's file as it was before `toolrouter install`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from toolrouter.cli import options
from toolrouter.cli.editing import sole_editor
from toolrouter.cli.errors import DONE, FAILED, UsageError
from toolrouter.cli.installing import confirmed, hosts_named, print_diff, surroundings
from toolrouter.cli.output import say
from toolrouter.errors import ConfigError, ToolrouterError
from toolrouter.settings_file import home_folder

if TYPE_CHECKING:
    from toolrouter.hosts.moving import Return
    from toolrouter.hosts.places import Host


def command(
    host: Annotated[
        list[str] | None, typer.Argument(metavar="HOST", help="As `toolrouter install` lists them.")
    ] = None,
    everywhere: Annotated[bool, typer.Option("--all", help="Out of every host that is found here.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    config: options.UnusedConfig = None,
) -> int:
    """Brings back the file byte for byte; if it was edited since, puts the old servers into the file of today.

    toolrouter's own config keeps the servers.
    """
    if not host and not everywhere:
        raise UsageError("Name a host, or say --all.")
    status = DONE
    for each in hosts_named(host, everywhere=everywhere):
        try:
            _uninstall(each, yes=yes, dry_run=dry_run)
        except UsageError:
            raise
        except ToolrouterError as error:
            say(f"{each.id}: {error}")
            status = FAILED
    return status


def _uninstall(host: Host, *, yes: bool, dry_run: bool) -> None:
    from toolrouter.hosts.block import parse_host_file
    from toolrouter.hosts.hiding import secrets_of
    from toolrouter.hosts.moving import plan_return, return_host

    path, home = host.config_file(surroundings()), home_folder()
    plan = plan_return(host, path, home)
    if not plan.changes:
        say(f"{host.title} ({path}): toolrouter is not in it.")
        return
    secrets = secrets_of(plan.before.servers) | secrets_of(parse_host_file(host, path, plan.after).servers)
    print_diff(path, (plan.before.data or b"").decode(), (plan.after or b"").decode(), secrets)
    _say_how(host, plan)
    if dry_run or not confirmed("Write this?", yes=yes):
        say("Nothing was changed.")
        return
    with sole_editor():
        again = plan_return(host, path, home)
        if (again.before.data, again.after) != (plan.before.data, plan.after):
            raise ConfigError(f"{path} was changed by another program just now; nothing was written. Run it again.")
        return_host(again, home)
    for kept in again.kept:
        say(f"As it was before: {kept} (it stays; comments and layout of the servers' block are in it alone).")
    say(f"{'Wrote' if plan.after is not None else 'Removed'} {path}. Restart {host.title}.")


def _say_how(host: Host, plan: Return) -> None:
    if not plan.recorded:
        say(f"{host.title}: nothing is known of an installation; only toolrouter's entry is taken out.")
    elif plan.exact:
        say(f"{host.title}: its file comes back byte for byte.")
    else:
        say(f"{host.title}: its file was edited since, so its old servers go into the file of today.")

"""`toolrouter install`: toolrouter into the applications that call MCP servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolrouter.cli import options
from toolrouter.cli.editing import open_for_editing, sole_editor
from toolrouter.cli.errors import DONE, FAILED, UsageError
from toolrouter.cli.installing import confirmed, hosts_named, launch_words, print_diff, surroundings
from toolrouter.cli.output import counted, one_line, print_table, say
from toolrouter.errors import ConfigError, ToolrouterError
from toolrouter.settings_file import home_folder

if TYPE_CHECKING:
    from toolrouter.hosts.moving import HostPlan, Plan
    from toolrouter.hosts.places import Host


def command(
    host: Annotated[list[str] | None, typer.Argument(metavar="HOST", help="As listed without arguments.")] = None,
    everywhere: Annotated[bool, typer.Option("--all", help="Into every host that is found here.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    no_keyring: Annotated[bool, typer.Option("--no-keyring", help="Leave secrets as they are written.")] = False,
    links: Annotated[bool, typer.Option("--links", help="Print install links for Cursor and VS Code.")] = False,
    mcpb: Annotated[
        Path | None, typer.Option("--mcpb", metavar="OUT", help="Write a bundle for Claude Desktop.")
    ] = None,
    config: options.Config = None,
) -> int:
    """Moves a host's servers into toolrouter's config and puts toolrouter in their place, after showing what changes.

    The host's file is kept as it was, and `toolrouter uninstall` brings it back. Without arguments: what is found here.
    """
    if mcpb is not None:
        return _write_bundle(mcpb)
    if links:
        return _print_links(config)
    if not host and not everywhere:
        return _list_hosts()
    return _install(hosts_named(host, everywhere=everywhere), config, yes=yes, dry_run=dry_run, no_keyring=no_keyring)


def _install(hosts: Sequence[Host], config: Path | None, *, yes: bool, dry_run: bool, no_keyring: bool) -> int:
    from toolrouter.hosts.moving import carry_out
    from toolrouter.keyrings import why_unusable

    no_keyring_because = "as asked" if no_keyring else why_unusable()
    use_keyring = not no_keyring_because
    found, status = _readable(hosts)
    plan = _planned(found, config, use_keyring=use_keyring)
    for each in plan.hosts:
        _say_what_moves(each)
    if not plan.changes:
        say("Nothing to do: toolrouter is in place.")
        return status
    _show(plan)
    _say_where_secrets_go(plan, no_keyring_because)
    if dry_run or not confirmed("Write this?", yes=yes):
        say("Nothing was changed.")
        return status
    with sole_editor():
        # Somebody else may have edited while a person read and thought: what they wrote is kept.
        again = _planned(found, config, use_keyring=use_keyring)
        if not yes and again.words != plan.words:
            raise ConfigError("Files were changed while you were asked; nothing was written. Run it again.")
        backups = carry_out(again, home_folder())
    _say_what_was_done(again, backups)
    return status


def _planned(hosts: Sequence[Host], config: Path | None, *, use_keyring: bool) -> Plan:
    """Raises ConfigError, KeyringUnavailable."""
    from toolrouter.hosts.block import read_host_file
    from toolrouter.hosts.moving import Launch, plan_installation

    around, ours = surroundings(), open_for_editing(config)
    files = [read_host_file(host, host.config_file(around)) for host in hosts]
    return plan_installation(files, ours, Launch(*launch_words(ours.path)), use_keyring=use_keyring)


def _say_where_secrets_go(plan: Plan, why_not: str) -> None:
    if plan.in_the_clear:
        say(f"Secrets of {', '.join(plan.in_the_clear)} stay in the clear in {plan.config.path}: {why_not}.")
    if plan.secrets:
        secrets = counted(len(plan.secrets), "secret")
        say(f"Into the keyring: {secrets}. The files from before, which are kept, still hold what was in them.")


def _say_what_was_done(plan: Plan, backups: Mapping[str, Path | None]) -> None:
    if plan.changes_config:
        say(f"Wrote {plan.config.path}.")
    changed = [each.before for each in plan.hosts if each.changes]
    for file in changed:
        kept = backups[file.host.id]
        say(f"Wrote {file.path}" + (f"; as it was: {kept}." if kept else "; it is new."))
    restart = f", then restart {', '.join(file.host.title for file in changed)}" if changed else ""
    say(f"Next: `toolrouter index`{restart}.")


def _readable(hosts: Sequence[Host]) -> tuple[list[Host], int]:
    """One file that cannot be read does not keep the others from being changed."""
    from toolrouter.hosts.block import read_host_file

    readable, status, around = [], DONE, surroundings()
    for host in hosts:
        try:
            read_host_file(host, host.config_file(around))
            readable.append(host)
        except ToolrouterError as error:
            if len(hosts) == 1:
                raise
            say(f"{host.id}: left out: {error}")
            status = FAILED
    return readable, status


def _say_what_moves(plan: HostPlan) -> None:
    from toolrouter.hosts.beside import beside

    host, servers = plan.before.host, plan.servers
    moved = ", ".join(name if name == alias else f"{name} (as {alias})" for name, alias in plan.aliases.items())
    say(f"{host.title} ({plan.before.path}): " + (f"takes over {moved}." if moved else "has no servers to take over."))
    for name, reason in servers.left.items():
        say(f"  {name}: stays there, {reason}.")
    for note in (*plan.notes, *beside(plan.before)):
        say(f"  {note}.")


def _show(plan: Plan) -> None:
    if plan.changes_config:
        before = plan.config.text if plan.config.path.exists() else ""
        print_diff(plan.config.path, before, plan.config_after, plan.known_secrets)
    for host in plan.hosts:
        before = (host.before.data or b"").decode()
        print_diff(host.before.path, before, host.after, plan.known_secrets)


def _list_hosts() -> int:
    from toolrouter.hosts.block import read_host_file
    from toolrouter.hosts.entries import servers_of
    from toolrouter.hosts.places import present_hosts

    around, rows = surroundings(), []
    for host in present_hosts(around):
        path = host.config_file(around)
        try:
            file = read_host_file(host, path)
            found = servers_of(host, file.servers)
            state = "installed" if found.ours else "no"
            own = ", ".join([*found.taken, *found.left])
        except ToolrouterError as error:
            state, own = f"cannot be read: {error}", ""
        rows.append((host.id, state, one_line(own), str(path)))
    if rows:
        print_table(("host", "toolrouter", "servers of its own", "file"), rows)
        say("Install with `toolrouter install HOST …` or `--all`; `--dry-run` shows what would change.")
    else:
        say("No host is found here. Name one to make its config: `toolrouter install claude-code`.")
    return DONE


def _print_links(config: Path | None) -> int:
    from toolrouter.hosts.links import install_links

    words, _ = launch_words(open_for_editing(config).path)
    for name, link in install_links(words).items():
        say(f"{name}:")
        print(link)
    return DONE


def _write_bundle(out: Path) -> int:
    from toolrouter.hosts.links import bundle
    from toolrouter.hosts.moving import write_bytes

    if out.suffix != ".mcpb":
        raise UsageError(f"{out} must end in .mcpb: Claude Desktop opens it by that.")
    write_bytes(out.expanduser(), bundle())
    say("Open it with Claude Desktop. It installs toolrouter with uv and reads your own config.")
    print(out)
    return DONE

"""Moves servers from hosts' files into toolrouter's config and puts toolrouter in their place; and back.

A plan is made first and changes nothing, so that it can be shown. Carrying it out writes the config before any host's
file: at no moment does a server stand nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from toolrouter.errors import ConfigError
from toolrouter.hosts.block import HostFile, parse_host_file, read_host_file, with_block
from toolrouter.hosts.entries import HostServers, our_entry, same_server, servers_of
from toolrouter.hosts.filters import Filters, filters_of
from toolrouter.hosts.hiding import secrets_in, secrets_of, without
from toolrouter.hosts.places import Host
from toolrouter.hosts.reading import usable_alias
from toolrouter.hosts.records import add_step, digest, forget, record_of
from toolrouter.keyrings import SERVICE, read_secret, write_secret
from toolrouter.settings_file import ConfigFile, parse_config, settings_of
from toolrouter.settings_file.edit import replace_file, with_options, with_servers, write_config
from toolrouter.types import JsonObject

OUR_NAME = "toolrouter"


@dataclass(frozen=True, slots=True)
class Launch:
    """How a host is to start toolrouter."""

    words: Sequence[str]
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HostPlan:
    """What becomes of one host's file."""

    before: HostFile
    after: str
    servers: HostServers
    aliases: dict[str, str]
    """The host's name → the name in toolrouter's config."""
    notes: tuple[str, ...] = ()
    """What a person should know about those that move."""

    @property
    def changes(self) -> bool:
        return self.before.data != self.after.encode()


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that an installation would change."""

    config: ConfigFile
    config_after: str
    added: dict[str, JsonObject]
    """New servers of the config, as they are written."""
    secrets: dict[str, str]
    """Keyring entry → secret."""
    hosts: tuple[HostPlan, ...]
    in_the_clear: tuple[str, ...]
    """New servers whose secrets stand in the config."""
    known_secrets: frozenset[str] = field(repr=False, default=frozenset())

    @property
    def changes_config(self) -> bool:
        return self.config_after != self.config.text

    @property
    def words(self) -> object:
        """All that a person agrees to; what else the config holds is no part of it."""
        return self.added, self.secrets, [(host.before.data, host.after, host.notes) for host in self.hosts]

    @property
    def changes(self) -> bool:
        return self.changes_config or any(host.changes for host in self.hosts)


def plan_installation(files: Sequence[HostFile], config: ConfigFile, launch: Launch, *, use_keyring: bool) -> Plan:
    """Raises ConfigError when a file cannot be edited safely, KeyringUnavailable when the keyring fails."""
    present = config.document.get(config.servers_key, {})
    known: dict[str, JsonObject] = {alias: entry for alias, entry in present.items() if isinstance(entry, dict)}
    hosts, hidden = [], _Hidden(config)
    for file in files:
        servers = servers_of(file.host, file.servers)
        aliases = {name: _settled(known, file.host, name, entry) for name, entry in servers.taken.items()}
        notes = tuple(hidden.take(file, name, alias) for name, alias in aliases.items() if filters_of(file, name))
        hosts.append(HostPlan(file, _with_us(file, servers, launch), servers, aliases, notes))
    clear = {alias: entry for alias, entry in known.items() if alias not in present}
    secrets: dict[str, str] = {}
    added = {alias: _hidden(alias, entry, secrets) if use_keyring else entry for alias, entry in clear.items()}
    text = with_servers(config, added) if added else config.text
    if hidden.options:
        text = with_options(parse_config(config.path, text), hidden.options)
    settings_of(parse_config(config.path, text))
    return Plan(
        config=config,
        config_after=text,
        added=added,
        secrets=secrets,
        hosts=tuple(hosts),
        in_the_clear=tuple(alias for alias, entry in added.items() if secrets_in(entry)),
        known_secrets=secrets_of(present).union(*(secrets_of(file.servers) for file in files)),
    )


class _Hidden:
    """What hosts hide of the servers that move, by alias."""

    def __init__(self, config: ConfigFile) -> None:
        section = config.document.get("toolrouter")
        chosen = section.get("servers") if isinstance(section, dict) else None
        self._chosen = chosen if isinstance(chosen, dict) else {}
        self._filters: dict[str, Filters] = {}

    @property
    def options(self) -> dict[str, JsonObject]:
        return {alias: found.as_options() for alias, found in self._filters.items()}

    def take(self, file: HostFile, name: str, alias: str) -> str:
        """Notes the host's filters, and says what becomes of them. What a person chose in our config stays."""
        found = filters_of(file, name)
        words = " and ".join(f"{key} {', '.join(names) or 'nothing'}" for key, names in found.as_options().items())
        chosen = self._chosen.get(alias)
        if isinstance(chosen, dict) and {"allow", "deny"} & set(chosen):
            return f"{name}: hides tools ({words}), but toolrouter.servers.{alias} says already what is shown; compare"
        self._filters[alias] = found.joined(self._filters.get(alias, Filters()))
        return f"{name}: what {file.host.title} hides is hidden here, from every host: {words}"


def _settled(known: dict[str, JsonObject], host: Host, name: str, entry: JsonObject) -> str:
    """The alias under which the config has this server already, or gets it now."""
    base = usable_alias(name, {})
    names = (
        base,
        *(other for other in known if other == f"{base}-{host.id}" or other.startswith(f"{base}-{host.id}-")),
    )
    for alias in names:
        if alias in known and same_server(known[alias], entry):
            return alias
    alias = base if base not in known else usable_alias(f"{base}-{host.id}", known)
    known[alias] = entry
    return alias


def _with_us(file: HostFile, servers: HostServers, launch: Launch) -> str:
    """The host's text with one entry of ours; what cannot move stays."""
    stays = {name: file.servers[name] for name in servers.left}
    name = servers.ours[0] if servers.ours else OUR_NAME
    # What a person added to our entry stays: a time limit, tools allowed for good.
    entry = {**file.servers.get(name, {}), **our_entry(file.host, launch.words, launch.env)}
    return with_block(file, {name: entry, **stays})


def _hidden(alias: str, entry: JsonObject, secrets: dict[str, str]) -> JsonObject:
    def keep(name: str, secret: str) -> str:
        candidate, number = name, 1
        while (secrets.get(candidate) or read_secret(SERVICE, candidate) or secret) != secret:
            number += 1
            candidate = f"{name}-{number}"
        secrets[candidate] = secret
        return f"${{keyring:{SERVICE}/{candidate}}}"

    return without(entry, alias, keep)


def carry_out(plan: Plan, home: Path) -> dict[str, Path | None]:
    """Does what the plan says; returns each changed host's backup.

    Raises:
        KeyringUnavailable: a secret could not be stored; no file was changed.
        ConfigError: a file could not be written, or was changed by somebody else since the plan was made.
        StoreError: the backup could not be kept; that host's file was not changed.
    """
    for name, secret in plan.secrets.items():
        write_secret(SERVICE, name, secret)
    if plan.changes_config:
        write_config(plan.config.path, plan.config_after)
    backups: dict[str, Path | None] = {}
    for host in plan.hosts:
        if host.changes:
            backups[host.before.host.id] = _replace(host, home)
    return backups


def _replace(plan: HostPlan, home: Path) -> Path | None:
    before, written = plan.before, plan.after.encode()
    _refuse_if_changed(before)
    backup = add_step(home, before.host, before.path, before=before.data, written=written)
    write_bytes(before.path, written)
    return backup


def _refuse_if_changed(file: HostFile) -> None:
    if read_host_file(file.host, file.path).data != file.data:
        raise ConfigError(f"{file.path} was changed by another program just now; nothing was written. Run it again.")


def write_bytes(path: Path, data: bytes) -> None:
    """A link stays a link. Raises ConfigError."""
    path = path.resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, data)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}.") from error


@dataclass(frozen=True, slots=True)
class Return:
    """What a host's file becomes when toolrouter leaves it."""

    before: HostFile
    after: bytes | None
    """None: there was no file."""
    exact: bool
    """Whether these are the bytes from before, all of them; else the old servers were put into the file of today."""
    recorded: bool
    kept: tuple[Path, ...] = ()
    """The files from before that stay, oldest first: what was written around the old servers is in them alone."""

    @property
    def changes(self) -> bool:
        return self.before.data != self.after


def plan_return(host: Host, path: Path, home: Path) -> Return:
    """Raises ConfigError or StoreError."""
    current, record = read_host_file(host, path), record_of(home, host, path)
    if not record.steps:
        return Return(current, _without_us(current), exact=False, recorded=False)
    data, exact = current.data, True
    for step in reversed(record.steps):
        before = record.before(step)
        if data is None or digest(data) == step.written:
            data = before
        else:
            data, exact = _merged(parse_host_file(host, path, data), parse_host_file(host, path, before)), False
    kept = () if exact else tuple(record.folder / step.backup for step in record.steps if step.backup)
    return Return(current, data, exact=exact, recorded=True, kept=kept)


def return_host(plan: Return, home: Path) -> None:
    """Raises ConfigError. The bytes from before are dropped only when they are all back."""
    _refuse_if_changed(plan.before)
    path = plan.before.path
    if plan.after is None:
        path.unlink(missing_ok=True)
    else:
        write_bytes(path, plan.after)
    forget(home, plan.before.host, path, backups=plan.exact)


def _without_us(current: HostFile) -> bytes | None:
    ours = servers_of(current.host, current.servers).ours
    if not ours:
        return current.data
    stays = {name: entry for name, entry in current.servers.items() if name not in ours}
    return with_block(current, stays).encode()


def _merged(now: HostFile, before: HostFile) -> bytes:
    """The file of today with the servers from before in place of ours."""
    ours = servers_of(now.host, now.servers).ours
    others = {name: entry for name, entry in now.servers.items() if name not in ours}
    wanted: Mapping[str, object] = {**before.servers, **others}
    return with_block(now, dict(wanted)).encode()

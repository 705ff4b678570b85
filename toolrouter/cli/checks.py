"""The checks of `toolrouter doctor`, in the order in which things depend on each other."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from toolrouter.app import open_router
from toolrouter.catalog.tokens import count_tokens
from toolrouter.cli.asking import index_telling
from toolrouter.cli.output import Progress, counted, line_for_people, one_line
from toolrouter.cli.session import server_error
from toolrouter.cli.unpinned import unpinned
from toolrouter.cli.waiting import count_waiting
from toolrouter.config import RERANKER_OFF, Settings, Transport, UpstreamSpec
from toolrouter.daemon.control import daemon_status, find_place
from toolrouter.errors import LOGIN_NEEDED, NAME_UNKNOWN, NotFound, ToolrouterError
from toolrouter.places import others_may_write, possible_configs
from toolrouter.server.asking import MEANS, setting
from toolrouter.settings_file import Loaded, home_folder, load_settings
from toolrouter.telemetry.logs import Masking, configure_logs

if TYPE_CHECKING:
    from toolrouter.app import Running

_INSTALLERS = {
    "npx": "install Node.js (https://nodejs.org)",
    "node": "install Node.js (https://nodejs.org)",
    "uvx": "install uv (https://docs.astral.sh/uv)",
    "uv": "install uv (https://docs.astral.sh/uv)",
    "docker": "install Docker (https://docs.docker.com)",
}
_PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `outcome` is ok, warning or problem; a problem says how it is mended."""

    subject: str
    outcome: str
    detail: str
    fix: str = ""


def examine(config: Path | None, *, connect: bool, verbose: bool = False) -> list[Finding]:
    """All findings. What cannot be checked because of an earlier problem is left out."""
    findings = [_tokenizer(), _home()]
    try:
        loaded = load_settings(config)
    except ToolrouterError as error:
        is_there = any(map(os.path.isfile, possible_configs(None if config is None else str(config))))
        fix = "correct the file, then run doctor again" if is_there else "run doctor again once there is a config"
        unusable = Finding("config", "problem", str(error), fix)
        return [unusable, *_kept_config(config), *findings]
    configure_logs(
        level="debug" if verbose else loaded.settings.router.log_level,
        stderr_level="debug" if verbose else "critical",
        home=home_folder(),
        secrets=loaded.secrets,
    )
    launches = list(_launches(loaded.settings))
    findings = [*_config(loaded), *_daemon(loaded), *findings, *_hosts(), *launches]
    broken = {launch.subject for launch in launches if launch.outcome == "problem"}
    wanted = [alias for alias in loaded.settings.enabled() if alias not in broken] if connect else []
    try:
        findings += anyio.run(_router, loaded.settings, wanted)
    except* ToolrouterError as group:
        findings += [
            Finding("router", "problem", str(error), "see the message; the folder of the state is named above")
            for error in group.exceptions
        ]
    masking = Masking(loaded.secrets)
    return [replace(finding, detail=masking(finding.detail)) for finding in findings]


def _config(loaded: Loaded) -> Iterator[Finding]:
    enabled = loaded.settings.enabled()
    yield Finding("config", "ok", f"{loaded.path}: {counted(len(enabled), 'server')}")
    if not loaded.settings.servers:
        yield Finding("config", "warning", "no servers", "toolrouter add NAME -- COMMAND, or toolrouter import FILE")
    for place in (loaded.path, loaded.path.parent):
        if others := others_may_write(str(place.absolute())):
            fix = f"chmod go-w {place.absolute()}" if "can write" in others else "use a config of your own"
            yield Finding("config", "warning", f"{others}: the config says which programs are started", fix)
    for warning in loaded.warnings:
        yield Finding("config", "warning", warning, "correct the key, or remove it")


def _kept_config(config: Path | None) -> Iterator[Finding]:
    """A daemon that runs is not hurt by a config that broke."""
    try:
        found = daemon_status(find_place(None if config is None else str(config)))
    except ToolrouterError:
        return
    if found is not None:
        yield Finding("daemon", "warning", f"process {found['pid']} serves by the config before the last edit")


def _daemon(loaded: Loaded) -> Iterator[Finding]:
    try:
        found = daemon_status(find_place(str(loaded.path)))
    except ToolrouterError as error:
        yield Finding("daemon", "problem", str(error), "toolrouter stop; a host starts it again")
        return
    if found is None:
        yield Finding("daemon", "ok", "none runs; the first host starts it")
    elif found["config_problem"]:
        fix = "correct the file: it takes effect by itself"
        yield Finding("daemon", "problem", f"keeps the config before the last edit: {found['config_problem']}", fix)
    else:
        running = [alias for alias, each in found["servers"].items() if each["state"] == "running"]
        hosts = f"process {found['pid']}, {counted(len(found['hosts']), 'host')}"
        yield Finding("daemon", "ok", f"{hosts}, running: {', '.join(running) or 'no server'}")
    for alias, each in found["servers"].items() if found else ():
        for ability in each.get("refused_asking", ()):
            detail = f"it asks for {MEANS[ability]}, which the config does not allow"
            yield Finding(alias, "warning", detail, f"if you want that: {setting(alias, [ability])}")


def _hosts() -> Iterator[Finding]:
    """Servers that hosts start past the router, where nothing of it holds."""
    from toolrouter.hosts.block import read_host_file
    from toolrouter.hosts.entries import servers_of
    from toolrouter.hosts.places import Surroundings, present_hosts

    around = Surroundings.here()
    for host in present_hosts(around):
        try:
            found = servers_of(host, read_host_file(host, host.config_file(around)).servers)
        except ToolrouterError:
            continue  # `toolrouter install` says what is wrong with it
        if own := [*found.taken, *found.left]:
            detail = f"{host.title} starts servers of its own: {one_line(', '.join(own), 400)}"
            came_later = found.ours and found.taken  # what was left there on install has to stay
            outcome, fix = ("warning", f"toolrouter install {host.id}") if came_later else ("ok", "")
            yield Finding("hosts", outcome, detail, fix)


def _tokenizer() -> Finding:
    try:
        count_tokens("one two three")
    except ToolrouterError as error:
        return Finding("tokenizer", "problem", str(error), "install toolrouter again")
    return Finding("tokenizer", "ok", "o200k, offline")


def _home() -> Finding:
    home = home_folder()
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        free = shutil.disk_usage(home).free
        others = others_may_write(str(home))
    except OSError as error:
        fix = "make the folder writable, or set TOOLROUTER_HOME to another one"
        return Finding("state", "problem", f"{home}: {error.strerror or error}", fix)
    if others:
        chmod = f"chmod 700 {home}, or " if "can write" in others else ""
        fix = f"{chmod}name a folder of your own in TOOLROUTER_HOME; then review what is approved"
        return Finding("state", "problem", f"{others}: whoever can write there can approve", fix)
    if not os.access(home, os.W_OK):
        return Finding("state", "problem", f"{home} cannot be written", "make it writable, or set TOOLROUTER_HOME")
    if free < 100 * 2**20:
        return Finding("state", "warning", f"{home}: {free // 2**20} MiB left on the disk", "free some space")
    return Finding("state", "ok", str(home))


def _launches(settings: Settings) -> Iterator[Finding]:
    for alias, spec in settings.enabled().items():
        if spec.unusable:
            yield Finding(alias, "problem", spec.unusable, "set the variable where the host starts toolrouter")
        elif spec.transport is Transport.STDIO:
            yield from _command(alias, spec)
    if found := _unpinned(settings):
        lines = ", ".join(f"{alias} (`{launch}`)" for alias, launch in found.items())
        detail = f"these run whatever is the newest version at each start: {lines}"
        yield Finding("versions", "warning", detail, "name the versions you have looked at")


def _unpinned(settings: Settings) -> dict[str, str]:
    """The servers that a runner such as npx fetches in whatever version, with how."""
    packages = {alias: unpinned(spec.command or "", spec.args) for alias, spec in settings.enabled().items()}
    return {
        alias: f"{Path(settings.servers[alias].command or '').stem} {package}"
        for alias, package in packages.items()
        if package
    }


def _command(alias: str, spec: UpstreamSpec) -> Iterator[Finding]:
    command = spec.command or ""
    found = shutil.which(command, path=spec.env.get("PATH"))
    if spec.cwd and not Path(spec.cwd).expanduser().is_dir():
        yield Finding(alias, "problem", f"its folder {spec.cwd} does not exist", "correct `cwd`, or make the folder")
    elif not found:
        fix = _INSTALLERS.get(Path(command).stem, "install it, or write its full path as `command`")
        yield Finding(alias, "problem", f"`{command}` is not on PATH", fix)
    elif unpinned(command, spec.args):
        return  # told of all such servers together
    elif "/" not in command and "\\" not in command and _is_in_an_environment(Path(found)):
        detail = f"`{command}` is {found}, inside a virtual environment that a host may not have on its PATH"
        yield Finding(alias, "warning", detail, f"write {found} as `command`")


def _is_in_an_environment(program: Path) -> bool:
    return any((folder / "pyvenv.cfg").exists() for folder in program.parents[1:2]) and sys.prefix != sys.base_prefix


async def _router(settings: Settings, wanted: Sequence[str]) -> list[Finding]:
    """Connects to the wanted servers and looks at what is known of all."""
    progress = Progress()
    try:
        async with open_router(settings, home=home_folder(), on_progress=progress) as router:
            found = await _servers(router, wanted)
            return [*found, *_catalog(router), await _model(router)]
    finally:
        progress.clear()


async def _servers(router: Running, wanted: Sequence[str]) -> list[Finding]:
    started = time.monotonic()
    with anyio.move_on_after(_PATIENCE_S):
        await index_telling(router, wanted, force=True)
    took = time.monotonic() - started
    return [_server(router, alias, took) for alias in wanted]


def _server(router: Running, alias: str, took: float) -> Finding:
    server, error = router.catalog.snapshot.servers.get(alias), server_error(router, alias)
    if error or server is None or not server.listed_at:
        what, unknown, _ = error.partition(NAME_UNKNOWN)  # what follows is advice, which the fix gives
        detail = line_for_people(what + unknown or f"no answer within {took:.0f} s", 400)
        fix = f"toolrouter login {alias}" if LOGIN_NEEDED in error else _fix(router.settings.servers[alias], error)
        return Finding(alias, "problem", detail, fix)
    tools = [tool for tool in router.catalog.snapshot.visible if tool.server == alias]
    tokens = sum(tool.tokens for tool in tools)
    title = one_line(f"{server.title or alias} {server.version}", 60)
    size = f"{counted(len(tools), 'tool')}, {counted(tokens, 'token')}"
    return Finding(alias, "ok", f"{title}, MCP {server.protocol_version}: {size}")


def _fix(spec: UpstreamSpec, error: str) -> str:
    if spec.transport is Transport.STDIO:
        # Its arguments may hold secrets by now.
        return f"run it by hand and read what it says: {spec.command}{' …' if spec.args else ''}"
    if NAME_UNKNOWN in error:
        return "check the host's name in `url`, and that this machine has a network (DNS, VPN)"
    return 'check the address and the headers; a server of the older kind needs "type": "sse"'


def _catalog(router: Running) -> Iterator[Finding]:
    snapshot = router.catalog.snapshot
    hidden = len(snapshot.tools) - len(snapshot.visible)
    tokens = sum(tool.tokens for tool in snapshot.visible)
    detail = f"{counted(len(snapshot.visible), 'tool')}, {counted(tokens, 'o200k token')}"
    detail += f", {hidden} not usable" if hidden else ""
    if hidden:
        yield Finding("catalog", "warning", detail, "toolrouter tools shows which and why")
    else:
        yield Finding("catalog", "ok", detail)
    for name in router.settings.router.pinned:
        try:
            snapshot.find(name)
        except NotFound as error:
            near = f" ({' or '.join(error.near[:3])}?)" if error.near else ""
            yield Finding("pinned", "warning", f"`{name}`: no usable tool is called so{near}", "correct `pinned`")
    waiting = count_waiting(router)
    if waiting:
        of_each = ", ".join(f"{count} of {alias}" for alias, count in waiting.items())
        fix = "toolrouter review shows each and asks for your decision"
        yield Finding("review", "warning", f"{waiting.total()} to decide on: {of_each}", fix)


async def _model(router: Running) -> Finding:
    from toolrouter.retrieval.search import FIRST_STAGE_ALONE

    kind, reranker = router.settings.router.embedder.kind, router.settings.router.reranker
    if not router.catalog.snapshot.visible:
        return Finding("search", "warning", "nothing to search yet", "toolrouter index")
    try:
        await router.indexer.wait_current()
        for _ in range(1 if reranker == RERANKER_OFF else 2):  # the first search loads it, and takes as long
            answer = await router.search(["list what is there"])
    except ToolrouterError as error:
        return Finding("search", "problem", str(error), _MODEL_FIXES.get(kind, "install toolrouter again"))
    if answer.warning:
        only_second = answer.warning.startswith(FIRST_STAGE_ALONE)
        fix = _RERANKER_FIX if only_second else _MODEL_FIXES.get(kind, "install toolrouter again")
        return Finding("search", "warning", answer.warning, fix)
    second = "" if reranker == RERANKER_OFF else f", reranker {reranker}"
    return Finding("search", "ok", f"{kind} model{second}, {answer.elapsed_ms:.0f} ms for a query")


_RERANKER_FIX = 'pip install sentence-transformers, and check toolrouter.reranker, or set it to "off"'
_MODEL_FIXES = {
    "openai": "check toolrouter.embedder.url and api_key, and that the endpoint runs",
    "sentence-transformers": "pip install sentence-transformers, and check toolrouter.embedder.model",
}

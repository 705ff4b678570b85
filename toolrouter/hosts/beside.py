"""What a host says of servers beside its block of them: an installation leaves it alone, and has a person know."""

from __future__ import annotations

from collections.abc import Iterator

from toolrouter.errors import ConfigError
from toolrouter.hosts.block import HostFile
from toolrouter.hosts.entries import servers_of
from toolrouter.hosts.moving import OUR_NAME
from toolrouter.settings_file import read_config
from toolrouter.types import JsonObject

_LISTS = ("allowed", "excluded")


def beside(file: HostFile) -> list[str]:
    """A line for each thing that stays as it is and may surprise."""
    look = {"claude-code": _projects, "gemini-cli": _lists, "amazon-q": _agents}.get(file.host.id)
    return [] if look is None else list(look(file))


def _projects(file: HostFile) -> Iterator[str]:
    """Claude Code keeps servers of one project in the same file."""
    for path, project in _object(file.file.document, "projects").items():
        if isinstance(project, dict) and (names := list(_object(project, "mcpServers"))):
            yield f"the project {path} has servers of its own, which stay: {', '.join(names)}"


def _lists(file: HostFile) -> Iterator[str]:
    """Gemini CLI starts what is on one list, and nothing that is on another."""
    lists = _object(file.file.document, "mcp")
    allowed, excluded = (found if isinstance(found := lists.get(key), list) else [] for key in _LISTS)
    servers = servers_of(file.host, file.servers)
    ours = servers.ours[0] if servers.ours else OUR_NAME
    if (allowed and ours not in allowed) or ours in excluded:
        yield f"`mcp.allowed` or `mcp.excluded` keeps {ours} from being started: name it in the one, not in the other"
    unwanted = [name for name in servers.taken if name in excluded or (allowed and name not in allowed)]
    if unwanted:
        yield (
            f"`mcp.allowed` and `mcp.excluded` do not reach what moves; to keep it from being started, set "
            f'`"disabled": true` for {", ".join(unwanted)}'
        )


def _agents(file: HostFile) -> Iterator[str]:
    """Amazon Q's agents may have servers of their own: `agents` in editors, `cli-agents` in terminals."""
    for path in sorted([*file.path.parent.glob("agents/*.json"), *file.path.parent.glob("cli-agents/*.json")]):
        try:
            names = list(_object(read_config(path).document, "mcpServers"))
        except ConfigError:
            continue
        if names:
            yield f"the agent {path} has servers of its own, which stay: {', '.join(names)}"


def _object(document: JsonObject, key: str) -> JsonObject:
    found = document.get(key)
    return found if isinstance(found, dict) else {}

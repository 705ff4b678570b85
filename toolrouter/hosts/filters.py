"""Which tools a person hid in a host, in each host's words, as our `allow` and `deny`.

Lists in a server's own entry: Codex (`enabled_tools`, `disabled_tools`), Gemini CLI (`includeTools`, `excludeTools`),
Windsurf, Kiro and Amazon Q (`disabledTools`), Copilot CLI (`tools`). Lists elsewhere: opencode (`tools` at the top),
Claude Code (`permissions.deny` in settings.json), Cursor (`permissions.deny` in cli-config.json). Once the servers have
moved, such a rule matches nothing any more in the host: what it kept away must be kept away here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from glob import escape
from pathlib import Path

from toolrouter.hosts.block import HostFile
from toolrouter.settings_file import read_config
from toolrouter.types import JsonObject

_ALLOW = ("enabled_tools", "enabledTools", "includeTools")
_DENY = ("disabled_tools", "disabledTools", "excludeTools")
_RULES_BESIDE = {
    "claude-code": (".claude/settings.json", "settings.json"),  # the second where CLAUDE_CONFIG_DIR is set
    "cursor": ("cli-config.json",),
}
_CLAUDE_RULE = re.compile(r"mcp__(?P<server>.+?)(?:__(?P<tool>.+))?")
_CURSOR_RULE = re.compile(r"Mcp\((?P<server>[^:)]+):(?P<tool>[^)]+)\)")


@dataclass(frozen=True, slots=True)
class Filters:
    """Globs of tool names; no `allow` allows all."""

    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.allow is not None or bool(self.deny)

    def joined(self, other: Filters) -> Filters:
        """What both let through. Every host is shown the same, so that nobody is shown what one of them hides."""
        both = [each for each in (self.allow, other.allow) if each is not None]
        allow = tuple(name for name in both[0] if all(name in each for each in both)) if both else None
        return Filters(allow, tuple(dict.fromkeys((*self.deny, *other.deny))))

    def as_options(self) -> JsonObject:
        """As a server's settings have it."""
        allow = {} if self.allow is None else {"allow": list(self.allow)}
        return {**allow, **({"deny": list(self.deny)} if self.deny else {})}


def filters_of(file: HostFile, name: str) -> Filters:
    """What this host hides of the server it calls `name`. Raises ConfigError for a file that cannot be read."""
    entry = file.servers[name]
    found = _in_entry(file.host.id, entry) if isinstance(entry, dict) else Filters()
    denied = tuple(tool for server, tool in _rules_beside(file) if _is_same_name(server, name))
    found = found.joined(Filters(deny=denied))
    return found.joined(_opencode(file.file.document, name)) if file.host.style == "opencode" else found


def _in_entry(host_id: str, entry: JsonObject) -> Filters:
    allowed = [entry[key] for key in _ALLOW if isinstance(entry.get(key), list)]
    denied = [entry[key] for key in _DENY if isinstance(entry.get(key), list)]
    tools = entry.get("tools")
    if host_id == "copilot-cli" and isinstance(tools, list) and "*" not in tools:
        allowed.append(tools)
    found = Filters(deny=_names(*denied))
    for each in allowed:
        found = found.joined(Filters(_names(each)))
    return found


def _names(*lists: list[object]) -> tuple[str, ...]:
    """Names as globs that match nothing else. Gemini CLI writes `name(argument)` as well: the name counts."""
    return tuple(escape(name.partition("(")[0]) for each in lists for name in each if isinstance(name, str) and name)


def _rules_beside(file: HostFile) -> Iterator[tuple[str, str]]:
    """Server and tool of each rule in the host's file of permissions that forbids one."""
    folder = file.path.parent
    paths = [folder / name for name in _RULES_BESIDE.get(file.host.id, ())]
    form = _CLAUDE_RULE if file.host.id == "claude-code" else _CURSOR_RULE
    for rule in (rule for path in paths for rule in _forbidden(path)):
        if isinstance(rule, str) and (found := form.fullmatch(rule)):
            yield found["server"], found["tool"] or "*"


def _forbidden(path: Path) -> list[object]:
    if not path.is_file():
        return []
    permissions = read_config(path).document.get("permissions")
    denied = permissions.get("deny") if isinstance(permissions, dict) else None
    return denied if isinstance(denied, list) else []


def _is_same_name(rule: str, name: str) -> bool:
    """Rules name a server as it stands in names of tools: what is no letter, digit, `_` or `-` is a `_` there."""
    return name == rule or re.sub(r"[^A-Za-z0-9_-]", "_", name) == rule


def _opencode(document: Mapping[str, object], name: str) -> Filters:
    """`{"git_push": false, "web*": false, "web_fetch": true}`: SERVER_TOOL is a tool's name, and the last rule wins."""
    tools = document.get("tools")
    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()
    for pattern, on in tools.items() if isinstance(tools, dict) else ():
        whole = pattern in (f"{name}*", f"{name}_*")
        tool = "*" if whole else pattern.removeprefix(f"{name}_")
        if not whole and tool == pattern:
            continue
        if whole:
            allow, deny = (None if on else ()), ()
        elif not on:
            deny = (*deny, tool)
        else:
            deny = tuple(each for each in deny if each != tool)
            allow = None if allow is None else (*allow, tool)
    return Filters(allow, deny)

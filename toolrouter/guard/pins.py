"""What of a definition its pin covers: everything, unless the config names fields that change for no reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from toolrouter.config import TrustMode
from toolrouter.guard.fingerprint import fingerprint

if TYPE_CHECKING:
    from toolrouter.config import Settings, UpstreamSpec
    from toolrouter.types import JsonObject

ANY_DEPTH: Final = "**"
MAX_DEPTH: Final = 128


def pinned_part(raw: JsonObject, ignored: Sequence[str]) -> JsonObject:
    """Returns a definition without the fields that these paths name, such as `inputSchema.properties.*.default`.

    Parts of a path are keys or positions in lists; `*` stands for any one of them, also within a name, and `**` for
    any number. The tool's name is always part of the pin.
    """
    paths = [tuple(path.split(".")) for path in ignored if path]
    return {**_without(raw, paths, 0), "name": raw.get("name")} if paths else raw


def launch_of(spec: UpstreamSpec) -> JsonObject:
    """Returns what is started or reached, for comparison: names of variables and headers, never their values."""
    return {
        "transport": spec.transport.value,
        "command": spec.command,
        "args": list(spec.args),
        "cwd": spec.cwd,
        "url": spec.url,
        "env": sorted(spec.env),
        "headers": sorted(spec.headers),
    }


def withholder(settings: Settings) -> Callable[[str, frozenset[str]], bool]:
    """Returns the test whether a server is started in another way than any that was approved.

    Only `review-new` asks a person: elsewhere the config is the person's word. The first way is recorded when the
    server is listed first, before anything of it can be seen.
    """
    launches = {alias: fingerprint(launch_of(spec)) for alias, spec in settings.servers.items()}

    def is_withheld(alias: str, approved: frozenset[str]) -> bool:
        strict = settings.router.trust is TrustMode.REVIEW_NEW
        return strict and bool(approved) and launches.get(alias) not in approved

    return is_withheld


def _without(node: Any, paths: Sequence[tuple[str, ...]], depth: int) -> Any:
    if not paths or depth > MAX_DEPTH:
        return node
    if isinstance(node, dict):
        kept = {}
        for key, child in node.items():
            below = _step(paths, str(key))
            if () not in below:
                kept[key] = _without(child, below, depth + 1)
        return kept
    if isinstance(node, list):
        steps = [(child, _step(paths, str(position))) for position, child in enumerate(node)]
        return [_without(child, below, depth + 1) for child, below in steps if () not in below]
    return node


def _step(paths: Sequence[tuple[str, ...]], key: str) -> list[tuple[str, ...]]:
    """Returns what is left of each path that leads through this key; an empty one ends here."""
    below = set()
    waiting = list(paths)
    while waiting:
        path = waiting.pop()
        if path and path[0] == ANY_DEPTH:
            below.add(path)
            waiting.append(path[1:])
        elif path and fnmatchcase(key, path[0]):
            below.add(path[1:])
    return sorted(below)

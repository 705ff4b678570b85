"""A person's decisions: which definitions they mean, and that it is the ones they saw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolrouter.catalog.saying import saying, saying_hash
from toolrouter.errors import NotFound
from toolrouter.types import Status, Tool

if TYPE_CHECKING:
    from toolrouter.catalog.live import LiveCatalog
    from toolrouter.catalog.snapshot import Catalog
    from toolrouter.types import JsonObject


@dataclass(frozen=True, slots=True)
class Decided:
    """What a decision came to."""

    done: tuple[Tool, ...]
    """As they are now."""
    stale: tuple[Tool, ...]
    """Not decided: the upstream lists another definition than the one that was shown."""


def select(catalog: Catalog, names: Iterable[str] = (), servers: Iterable[str] = ()) -> tuple[Tool, ...]:
    """Returns the tools of these ids (also `alias.tool` and its like) and of these servers, whatever their status.

    Raises:
        NotFound: no such tool or server. For the person's eyes, not for a model's: it names invisible tools.
    """
    spelled = {
        f"{tool.server}{sign}{tool.name}": tool for tool in catalog.tools.values() for sign in (".", "/", ":", "__")
    } | {str(tool.id): tool for tool in catalog.tools.values()}
    chosen: dict[str, Tool] = {}
    for name in names:
        if name not in spelled:
            raise NotFound(f"There is no tool {name!r}; `toolrouter tools` lists all of them.")
        chosen[spelled[name].id] = spelled[name]
    for alias in servers:
        if alias not in catalog.servers:
            raise NotFound(f"There is no server {alias!r} in the config.", tuple(catalog.servers))
        chosen.update({tool.id: tool for tool in catalog.by_server(alias)})
    return tuple(chosen.values())


def waiting(catalog: Catalog) -> tuple[Tool, ...]:
    """Returns the tools that wait for a person, ordered by id."""
    return tuple(tool for tool in catalog.tools.values() if tool.status in (Status.PENDING, Status.WITHDRAWN))


def decide(live: LiveCatalog, shown: Sequence[Tool], *, approve: bool, by: str = "cli") -> Decided:
    """Approves or rejects definitions as they were shown to a person, and brings the snapshot up to date.

    Raises:
        StoreError: a decision could not be saved; those before it are.
    """
    live.reload()
    done, stale = [], []
    for tool in shown:
        current = live.snapshot.tools.get(tool.id)
        if current is None or current.hash != tool.hash or current.status is Status.REFUSED:
            stale.append(tool)
        else:
            live.decide(current, approve=approve, by=by)
            done.append(tool.id)
    live.reload()
    return Decided(tuple(live.snapshot.tools[tool_id] for tool_id in done), tuple(stale))


def decide_saying(live: LiveCatalog, alias: str, shown: JsonObject, *, approve: bool, by: str = "review") -> bool:
    """Approves or rejects what a server says of itself, as it was shown; false when it says something else by now.

    Raises:
        StoreError: the decision could not be saved.
    """
    live.reload()
    if saying_hash(saying(live.heard(alias))) != saying_hash(shown):
        return False
    live.decide_saying(alias, shown, approve=approve, by=by)
    live.reload()
    return True

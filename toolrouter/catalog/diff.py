"""What differs between two snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from toolrouter.catalog.snapshot import Catalog
from toolrouter.types import Refusal, Status, Tool, ToolId


@dataclass(frozen=True, slots=True)
class Changes:
    """Tools as they are now; removed ones as they were. Each group is ordered by id."""

    added: tuple[Tool, ...] = ()
    changed: tuple[Tool, ...] = ()
    """Known tools with another definition, status or reason."""
    removed: tuple[Tool, ...] = ()
    refused: tuple[Refusal, ...] = ()
    """What cannot be served, and why; said at every listing."""
    visible_changed: bool = False
    """Whether a host's list may differ."""
    problem: str = ""
    """What could not be saved; the snapshot has changed nevertheless."""

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    @property
    def waiting(self) -> tuple[Tool, ...]:
        """The added and changed tools that a person should look at."""
        return tuple(tool for tool in self.added + self.changed if tool.status in (Status.PENDING, Status.WITHDRAWN))


def diff(before: Catalog, after: Catalog) -> Changes:
    """Returns what changed from one snapshot to the next."""
    changes = diff_tools(before.tools, after.tools)
    return replace(changes, visible_changed=before.visible != after.visible)


def diff_server(alias: str, before: Catalog, after: Catalog, last: Changes) -> Changes:
    """Returns what changed of one server from start to end: it may have been listed more than once in between."""
    old, new = ({tool.id: tool for tool in catalog.by_server(alias)} for catalog in (before, after))
    return replace(diff_tools(old, new), refused=last.refused, problem=last.problem)


def diff_tools(old: Mapping[ToolId, Tool], new: Mapping[ToolId, Tool]) -> Changes:
    """Returns what changed among some tools, by their ids."""
    return Changes(
        added=tuple(tool for tool_id, tool in new.items() if tool_id not in old),
        changed=tuple(tool for tool_id, tool in new.items() if tool_id in old and old[tool_id] != tool),
        removed=tuple(tool for tool_id, tool in old.items() if tool_id not in new),
    )

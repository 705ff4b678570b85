"""What a person is told of items that may not be used, or not yet. None of it is for a model."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from toolrouter.cli.deciding import launches_of
from toolrouter.cli.output import one_line, printable
from toolrouter.errors import NotFound
from toolrouter.guard.review import select
from toolrouter.guard.subjects import TOOL, Subject, subjects
from toolrouter.server.finding import SECTIONS
from toolrouter.types import Status

if TYPE_CHECKING:
    from toolrouter.app import Running

_SECTIONS: Mapping[str, str] = {kind: section for section, kinds in SECTIONS.items() for kind in kinds}
"""Where a search finds what is no tool, by its kind."""


def count_waiting(router: Running) -> Counter[str]:
    """How many items of each server in the config wait for a decision."""
    known = subjects(router.catalog, launches_of(router))
    return Counter(each.server for each in known if each.waits and each.server in router.settings.servers)


def explain(router: Running, name: str, error: NotFound) -> NotFound:
    """Returns `error`, or a better one: that tool may not be used, or the name is that of something else."""
    known = subjects(router.catalog, {})
    try:
        found = select(known, name)
    except NotFound:
        found = tuple(subject for subject in known if subject.name == name)
    for subject in found:
        if subject.kind == TOOL and (subject.waits or subject.status is Status.REJECTED):
            return NotFound(_why(subject))
    if name in router.settings.servers:
        return NotFound(f"`{name}` is a server, not a tool: `toolrouter tools --server {name}` lists what it has.")
    for subject in found:
        if subject.kind in _SECTIONS:
            return NotFound(_is_else(subject))
    return error


def _is_else(subject: Subject) -> str:
    called, section = printable(one_line(subject.id)), _SECTIONS[subject.kind]
    look = f"`toolrouter search {shlex.quote(called)} --include {section}` shows what it is for"
    return f"`{called}` is a {subject.kind}, not a tool: {look}."


def _why(subject: Subject) -> str:
    called = printable(one_line(subject.id))
    reason = f": {subject.reason}" if subject.reason else ""
    why = f"The tool `{called}` is {subject.status.value}{reason}."
    if subject.waits:
        return f"{why} Look at it and decide with `toolrouter review {subject.server}`."
    return f"{why} `toolrouter approve {called}` takes that back; `toolrouter review` shows what waits."

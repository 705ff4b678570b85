"""A person's decisions: which definitions they mean, and that it is the ones they saw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolrouter.errors import NotFound
from toolrouter.guard.subjects import LAUNCHED, TOOL, Subject, subjects
from toolrouter.types import Status

if TYPE_CHECKING:
    from toolrouter.catalog.live import LiveCatalog
    from toolrouter.types import JsonObject


@dataclass(frozen=True, slots=True)
class Decided:
    """What a decision came to."""

    done: tuple[Subject, ...]
    """As they are now."""
    stale: tuple[Subject, ...]
    """Not decided: the upstream lists another definition than the one that was shown."""


def select(known: Sequence[Subject], name: str) -> tuple[Subject, ...]:
    """Returns what a person means by a name, whatever its status: a tool, or something else that is called so.

    Tools may be spelt `alias.tool` and its like. A kind before the name (`prompt:alias__greet`) leaves no doubt.

    Raises:
        NotFound: nothing is called so. For the person's eyes, not for a model's: it names invisible tools.
    """
    kind, _, rest = name.partition(":")
    found = [each for each in known if each.kind == kind and rest in _spellings(each)]
    found = found or [each for each in known if each.kind == TOOL and name in _spellings(each)]
    found = found or [each for each in known if each.id == name and each.id != each.server]
    if not found:
        raise NotFound(f"There is nothing called {name!r}; `toolrouter tools` lists everything that is known.")
    return tuple(found)


def of_server(known: Iterable[Subject], alias: str, statuses: Iterable[Status]) -> tuple[Subject, ...]:
    """Returns what of a server has one of these statuses; how it is started only where that is not approved."""
    wanted = frozenset(statuses)
    mine = (each for each in known if each.server == alias and each.status in wanted)
    return tuple(each for each in mine if each.kind != LAUNCHED or each.status is not Status.APPROVED)


def decide(
    live: LiveCatalog,
    launches: Mapping[str, JsonObject],
    shown: Sequence[Subject],
    *,
    approve: bool,
    by: str = "cli",
) -> Decided:
    """Approves or rejects definitions as they were shown to a person, and brings the snapshot up to date.

    Raises:
        StoreError: a decision could not be saved; those before it are.
    """
    live.reload()
    done, stale = [], []
    now = _by_key(live, launches)
    for subject in shown:
        current = now.get(_key(subject))
        if current is None or current.hash != subject.hash or current.status is Status.REFUSED:
            stale.append(subject)
        else:
            said = current.said
            live.decide(current.server, current.name, current.hash, said=said, approve=approve, by=by)
            done.append(subject)
    live.reload()
    now = _by_key(live, launches)
    return Decided(tuple(now[_key(subject)] for subject in done), tuple(stale))


def _by_key(live: LiveCatalog, launches: Mapping[str, JsonObject]) -> dict[tuple[str, str, str], Subject]:
    return {_key(subject): subject for subject in subjects(live, launches)}


def _key(subject: Subject) -> tuple[str, str, str]:
    return subject.server, subject.kind, subject.name


def _spellings(subject: Subject) -> frozenset[str]:
    if subject.kind != TOOL:
        return frozenset({subject.id})
    return frozenset({subject.id, *(f"{subject.server}{sign}{subject.name}" for sign in (".", "/", ":", "__"))})

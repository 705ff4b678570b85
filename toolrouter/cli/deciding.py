"""What `approve`, `reject` and `review` share: which definitions are meant, and what is decided about them."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolrouter.cli.output import one_line, print_table, say
from toolrouter.cli.session import with_router
from toolrouter.errors import NotFound
from toolrouter.guard.pins import launch_of
from toolrouter.guard.review import Decided, decide, of_server, select
from toolrouter.guard.subjects import LAUNCHED, Subject, subjects
from toolrouter.types import JsonObject, Status

if TYPE_CHECKING:
    from toolrouter.app import Running


def launches_of(router: Running) -> dict[str, JsonObject]:
    """How each server of the config is started."""
    return {alias: launch_of(spec) for alias, spec in router.settings.servers.items()}


def decide_and_note(router: Running, shown: Sequence[Subject], *, approve: bool, by: str) -> Decided:
    """Records a person's decision on what they were shown, also in the audit log. Raises StoreError."""
    decided = decide(router.catalog, launches_of(router), shown, approve=approve, by=by)
    word = "approved" if approve else "rejected"
    for each in decided.done:
        event = {"tool": each.id, "server": each.server, "hash": each.hash, "decision": word}
        router.note({"kind": "decision", **event, "reason": each.kind})
    return decided


def decide_named(names: list[str], statuses: Collection[Status], *, approve: bool, config: Path | None) -> None:
    """Records a decision for everything that is named, and for what of every named server has these statuses."""
    before: dict[tuple[str, str], Subject] = {}

    async def work(router: Running) -> Decided:
        known = subjects(router.catalog, launches_of(router))
        meant = [subject for name in names for subject in _meant(router, known, name, statuses)]
        before.update({(subject.kind, subject.id): subject for subject in meant})
        return decide_and_note(router, list(before.values()), approve=approve, by="cli")

    decided = with_router(config, work)
    rows = [
        (
            each.kind,
            one_line(each.id, 100),
            f"{before[each.kind, each.id].status.value} → {each.status.value}",
            each.hash[:12],
            _says(each),
        )
        for each in decided.done
    ]
    if rows:
        print_table(("kind", "name", "was → is", "sha256", "says"), rows)
    for each in decided.stale:
        say(f"{each.id} is left as it was: {each.reason or 'its server says something else by now'}.")
    say(f"{len(rows)} {'approved' if approve else 'rejected'}." if rows else "Nothing to decide.")


def _says(subject: Subject) -> str:
    if subject.kind == LAUNCHED:
        launch = subject.said["url"] or shlex.join([subject.said["command"], *subject.said["args"]])
        return one_line(str(launch), 100_000)  # what is cut off could be what matters
    words = subject.said.get("description") or subject.said.get("instructions") or subject.said.get("title")
    return one_line(words if isinstance(words, str) else "")


def _meant(router: Running, known: Sequence[Subject], name: str, statuses: Collection[Status]) -> tuple[Subject, ...]:
    if name in router.settings.servers:
        return of_server(known, name, statuses)
    try:
        return select(known, name)
    except NotFound as error:
        aliases = ", ".join(router.settings.servers)
        raise NotFound(f"No tool and no server is called `{name}`. Servers: {aliases}.", error.near) from error

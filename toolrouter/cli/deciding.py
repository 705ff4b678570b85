"""What `approve`, `reject` and `review` share: which definitions are meant, and what is decided about them."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final

from toolrouter.cli.errors import DONE, FAILED
from toolrouter.cli.output import one_line, print_table, print_text, printable, say
from toolrouter.cli.session import with_router
from toolrouter.errors import NotFound
from toolrouter.guard.pins import launch_of
from toolrouter.guard.review import Decided, decide, of_server, select
from toolrouter.guard.subjects import LAUNCHED, TOOL, Subject, subjects
from toolrouter.types import JsonObject, Status

if TYPE_CHECKING:
    from toolrouter.app import Running

REJECTABLE: Final = (Status.APPROVED, Status.PENDING, Status.WITHDRAWN)
"""What of a server is rejected with it."""
_SHOWN_NAMES = 10


def launches_of(router: Running) -> dict[str, JsonObject]:
    """How each server of the config is started."""
    return {alias: launch_of(spec) for alias, spec in router.settings.servers.items()}


def decide_and_note(router: Running, shown: Sequence[Subject], *, approve: bool, by: str) -> Decided:
    """Records a person's decision on what they were shown, also in the audit log. Raises StoreError."""
    decided = decide(router.catalog, launches_of(router), shown, approve=approve, by=by)
    word = "approved" if approve else "rejected"
    for each in decided.done:
        event = {"tool": each.id, "server": each.server, "hash": each.hash, "decision": word}
        router.audit.note({"kind": "decision", **event, "reason": each.kind})
    return decided


def rejectable(router: Running, alias: str) -> tuple[Subject, ...]:
    """Everything of a server that a rejection of it is about, as it is now: what is in use as much as what waits."""
    launches = launches_of(router)
    return of_server(subjects(router.catalog, launches, [alias]), alias, REJECTABLE)


def decide_named(
    names: list[str],
    statuses: Sequence[Collection[Status]],
    *,
    approve: bool,
    config: Path | None,
    despite_findings: bool = False,
) -> int:
    """Records a decision for everything that is named, and returns the exit status.

    Of a named server that is what has the first of these groups of statuses that anything of it has. Nothing at all is
    approved when the scanner takes some of it for an attack, but `despite_findings`.
    """

    async def work(router: Running) -> int:
        known = subjects(router.catalog, launches_of(router))
        meant = {_key(subject): subject for name in names for subject in _meant(router, known, name, statuses)}
        if approve and not despite_findings and _refuse_attacks(router, meant.values()):
            return FAILED
        _tell(decide_and_note(router, list(meant.values()), approve=approve, by="cli"), meant, approve=approve)
        if approve:
            _tell_rejected(router, names)
        return DONE

    return with_router(config, work)


def _key(subject: Subject) -> tuple[str, str, str]:
    return subject.server, subject.kind, subject.id


def _refuse_attacks(router: Running, meant: Iterable[Subject]) -> bool:
    """Shows what the scanner takes for an attack in what a person is about to approve, if it finds any."""
    from toolrouter.guard.scan import make_visible
    from toolrouter.guard.showing import attacks

    found = attacks(router.catalog, [each for each in meant if each.waits or each.status is Status.REJECTED])
    for subject, finding in found:
        place = make_visible(finding.where) or "/"
        print_text(f"! {subject.kind} {make_visible(subject.id)}: {finding.rule} at {place}: {finding.explanation}")
        if finding.excerpt:
            print_text(f"    {one_line(finding.excerpt, 300)}")
    if found:
        waiting = dict.fromkeys(subject.server for subject, _ in found if subject.waits)
        command = " ".join(["review", *waiting]) if waiting else "scan"  # what was rejected is not up for review
        look = f"Look at it with `toolrouter {command}`; if it is what you want, repeat with --despite-findings."
        say(f"Nothing was approved: the scanner takes this for an attack. {look}")
    return bool(found)


def _tell(decided: Decided, before: Mapping[tuple[str, str, str], Subject], *, approve: bool) -> None:
    rows = [
        (
            each.kind,
            one_line(each.id, 100),
            f"{before[_key(each)].status.value} → {each.status.value}",
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


def _tell_rejected(router: Running, names: Iterable[str]) -> None:
    """What a person rejected earlier does not come back by the way: they are told what it takes."""
    known = subjects(router.catalog, launches_of(router))
    for alias in dict.fromkeys(name for name in names if name in router.settings.servers):
        left = of_server(known, alias, [Status.REJECTED])
        if left:
            shown = " ".join(shlex.quote(_typed(each)) for each in left[:_SHOWN_NAMES])
            more = f" ({len(left) - _SHOWN_NAMES} more)" if len(left) > _SHOWN_NAMES else ""
            say(f"{len(left)} of {alias} stay rejected. By name they are approved: toolrouter approve {shown}{more}")


def _typed(subject: Subject) -> str:
    """The name that means this and nothing else."""
    return printable(subject.id if subject.kind == TOOL else f"{subject.kind}:{subject.id}")


def _says(subject: Subject) -> str:
    if subject.kind == LAUNCHED:
        launch = subject.said["url"] or shlex.join([subject.said["command"], *subject.said["args"]])
        return one_line(str(launch), 100_000)  # what is cut off could be what matters
    words = subject.said.get("description") or subject.said.get("instructions") or subject.said.get("title")
    return one_line(words if isinstance(words, str) else "")


def _meant(
    router: Running, known: Sequence[Subject], name: str, statuses: Sequence[Collection[Status]]
) -> tuple[Subject, ...]:
    if name in router.settings.servers:
        groups = (of_server(known, name, group) for group in statuses)
        return next((group for group in groups if group), ())
    try:
        return select(known, name)
    except NotFound as error:
        aliases = list(router.settings.servers)
        near = get_close_matches(name, [*aliases, *(subject.id for subject in known if subject.id not in aliases)])
        words = f"No tool and no server is called `{name}`. "
        servers = f"Servers: {', '.join(aliases)}." if aliases else "No server is configured."
        raise NotFound(f"{words}{servers} `toolrouter tools` names all there is to decide on.", near) from error

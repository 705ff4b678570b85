"""What `approve` and `reject` share: which definitions are meant, and what they say."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from toolrouter.catalog.saying import saying
from toolrouter.cli.output import one_line, print_table, say
from toolrouter.cli.session import with_router
from toolrouter.errors import NotFound
from toolrouter.guard.review import Decided, decide, decide_saying, select
from toolrouter.types import Status, Tool

if TYPE_CHECKING:
    from toolrouter.app import Running


def decide_named(names: list[str], statuses: Collection[Status], *, approve: bool, config: Path | None) -> None:
    """Records a decision for every named tool, and for those tools of every named server that have these statuses."""
    before: dict[str, Tool] = {}

    async def work(router: Running) -> Decided:
        meant = [tool for name in names for tool in _meant(router, name, statuses)]
        before.update({tool.id: tool for tool in meant})
        decided = decide(router.catalog, list(before.values()), approve=approve)
        word = "approved" if approve else "rejected"
        for tool in decided.done:
            event = {"tool": tool.id, "server": tool.server, "hash": tool.hash, "decision": word}
            router.note({"kind": "decision", **event})
        for alias in {name for name in names if name in router.settings.servers}:
            heard = saying(router.catalog.heard(alias))
            if heard:
                decide_saying(router.catalog, alias, heard, approve=approve, by="cli")
        return decided

    decided = with_router(config, work)
    rows = [
        (tool.id, f"{before[tool.id].status.value} → {tool.status.value}", tool.hash[:12], one_line(tool.description))
        for tool in decided.done
    ]
    if rows:
        print_table(("name", "was → is", "sha256", "says"), rows)
    for tool in decided.stale:
        say(f"{tool.id} is left as it was: {tool.reason or 'its server says something else by now'}.")
    say(f"{len(rows)} {'approved' if approve else 'rejected'}." if rows else "Nothing to decide.")


def _meant(router: Running, name: str, statuses: Collection[Status]) -> list[Tool]:
    catalog = router.catalog.snapshot
    if name in router.settings.servers:
        return [tool for tool in catalog.by_server(name) if tool.status in statuses]
    try:
        return list(select(catalog, [name]))
    except NotFound as error:
        aliases = ", ".join(router.settings.servers)
        raise NotFound(f"No tool and no server is called `{name}`. Servers: {aliases}.", error.near) from error

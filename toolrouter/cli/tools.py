"""`toolrouter tools`: everything that servers offer and is known, also what may not be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolrouter.cli import options
from toolrouter.cli.output import counted, one_line, print_json, print_table, say
from toolrouter.cli.session import index_what_is_new, known_alias, with_router
from toolrouter.guard.subjects import INSTRUCTIONS, TOOL, Subject, subjects
from toolrouter.types import Status

if TYPE_CHECKING:
    from toolrouter.app import Running


_ABOUT_CHARS = 100


def command(
    server: options.Servers = None,
    config: options.Config = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Servers that were never reached are asked first."""

    async def find(router: Running) -> list[Subject]:
        aliases = [known_alias(router, name) for name in options.each_of(server)]
        await index_what_is_new(router, aliases)
        configured = aliases or router.settings.servers
        known = subjects(router.catalog, {}, [alias for alias in configured if alias in router.settings.servers])
        shown = [each for each in known if each.kind != INSTRUCTIONS or each.waits]
        return sorted(shown, key=lambda each: (each.kind != TOOL, each.kind, each.id))

    found = with_router(config, find, verbose=verbose)
    if json:
        print_json([_entry(tool) for tool in found])
    else:
        _show(found)


def _entry(subject: Subject) -> dict[str, object]:
    return {
        "name": subject.id,
        "kind": subject.kind,
        "server": subject.server,
        "status": subject.status.value,
        "hash": subject.hash,
        "tokens": subject.cost_tokens,
    }


def _show(found: list[Subject]) -> None:
    rows = [(each.kind, one_line(each.id, 80), each.status.value, _tokens(each), _about(each)) for each in found]
    print_table(("kind", "name", "status", "tokens", "about"), rows, right=("tokens",))
    tools = [each for each in found if each.kind == TOOL]
    usable = [each for each in tools if each.status is Status.APPROVED]
    tokens = sum(each.cost_tokens for each in usable)
    say(f"{counted(len(tools), 'tool')}, {len(usable):,} usable, {counted(tokens, 'o200k token')}.")


def _tokens(subject: Subject) -> str:
    return f"{subject.cost_tokens:,}" if subject.kind == TOOL else ""


def _about(subject: Subject) -> str:
    words = subject.reason or subject.said.get("description")
    return one_line(words if isinstance(words, str) else "", _ABOUT_CHARS)

"""`toolrouter review`: what waits for a person, shown whole, and the person's decision on exactly that."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import anyio.to_thread
import typer

from toolrouter.cli import options
from toolrouter.cli.deciding import decide_and_note, rejectable
from toolrouter.cli.output import counted, one_line, print_json, print_text, say
from toolrouter.cli.session import index_what_is_new, known_alias, with_router
from toolrouter.errors import ToolrouterError
from toolrouter.types import Status

if TYPE_CHECKING:
    from toolrouter.app import Running
    from toolrouter.guard.showing import Dossier, Item
    from toolrouter.guard.subjects import Subject

_CHOICES = "[a]pprove  [r]eject  [s]kip  approve [A]ll of this server  [Q]uarantine the server  [q]uit"
_KEYS = """\
a  approve this one, as it was shown
r  reject this one
s  skip it: it goes on waiting
A  approve everything of this server that waits, but what the scanner takes for an attack; asks first
Q  quarantine the server: reject everything of it, what is in use too; asks first
v  view the rest, where not all of it was shown
q  quit: what is not decided goes on waiting"""
_SHOWN_LINES = 400
"""So many lines of one definition are shown unasked; how many more there are is said."""


def command(
    server: Annotated[list[str] | None, typer.Argument(metavar="[SERVER]", help="Only of these servers.")] = None,
    config: options.Config = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Shows, server by server, the exact command behind it, what changed and what the scanner found.

    Invisible and confusable characters are spelt out. A decision holds for the definition that was shown, by its hash;
    if the server changes it meanwhile, it waits again. Without a terminal, or with --json, what waits is only listed.
    """

    async def work(router: Running) -> None:
        aliases = [known_alias(router, name) for name in server or ()]
        await index_what_is_new(router, aliases)
        found = await anyio.to_thread.run_sync(_dossiers, router, aliases)
        if json:
            print_json([dossier.as_json() for dossier in found])
        elif not found:
            say("Nothing waits for review.")
        else:
            _go_through(router, found)

    with_router(config, work, verbose=verbose)


def _dossiers(router: Running, aliases: list[str]) -> list[Dossier]:
    from toolrouter.guard.showing import dossiers

    return dossiers(router.catalog, router.settings.servers, aliases)


def _go_through(router: Running, found: list[Dossier]) -> None:
    asks = _interactive()
    for dossier in found:
        _show_server(dossier)
        waiting = list(dossier.items)
        while waiting:
            item, rest = waiting[0], waiting[1:]
            shown = _show(item, len(dossier.items) - len(rest), len(dossier.items))
            answer = _ask(item, shown, _doubts(router, dossier.server, waiting)) if asks else "s"
            if answer == "q":
                return
            if answer == "A":
                rest = _settle_quiet(router, waiting)
            elif answer == "Q":
                rest = _quarantine(router, dossier.server)
            elif answer != "s":
                _settle(router, [item.subject], approve=answer == "a")
            waiting = rest
    if not asks:
        say("Decide with `toolrouter approve NAME` or `toolrouter reject NAME`, or run this in a terminal.")


def _interactive() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _ask(item: Item, shown: int, doubts: Mapping[str, Callable[[], str]]) -> str:
    """What the person wants. Nobody approves what was not shown to its end.

    `doubts`: what is asked before some answers are taken. They differ from others by Shift alone.
    """
    lines = item.diff()
    while True:
        more = "" if shown >= len(lines) else "[v]iew the rest  "
        answer = _typed(f"{more}{_CHOICES}: ", at_end="q")
        if answer in {"v", "a"} and more:
            _show_lines(lines[shown:])
            shown = len(lines)
        elif answer in doubts:
            if _typed(f"{doubts[answer]()} [y/N]: ", at_end="").lower() in {"y", "yes"}:
                return answer
        elif answer in {"a", "r", "s", "q"}:
            return answer
        else:
            print_text(_KEYS)


def _typed(prompt: str, *, at_end: str) -> str:
    try:
        return input(prompt).strip()
    except EOFError:
        return at_end


def _doubts(router: Running, alias: str, waiting: Sequence[Item]) -> Mapping[str, Callable[[], str]]:
    def approve_all() -> str:
        return f"Approve all {len(waiting)} of {alias} that still wait, also those that were not shown yet?"

    def quarantine() -> str:
        meant = rejectable(router, alias)
        used = sum(subject.status is Status.APPROVED for subject in meant)
        return f"Reject everything of {alias}: {len(meant)} in all, {used} of them approved? No host sees it any more."

    return {"A": approve_all, "Q": quarantine}


def _quarantine(router: Running, alias: str) -> list[Item]:
    """Rejects everything of a server; nothing of it is left to ask about."""
    if _settle(router, rejectable(router, alias), approve=False):
        undo = f"toolrouter approve {shlex.quote(alias)}"
        say(f"To undo it: `{undo}` approves all of it, whatever was rejected before too.")
    return []


def _settle_quiet(router: Running, items: list[Item]) -> list[Item]:
    """Approves what the scanner does not take for an attack, and returns the others: each is decided by itself."""
    loud = [item for item in items if item.tier == "block"]
    quiet = [item for item in items if item.tier != "block"]
    if quiet:
        _settle(router, [item.subject for item in quiet], approve=True)
    if loud:
        say(f"{len(loud)} more that the scanner takes for an attack: decide on each.")
    return loud


def _settle(router: Running, shown: Sequence[Subject], *, approve: bool) -> bool:
    """Decides on the definitions as they were shown, and says what came of it. False when it was not saved."""
    try:
        decided = decide_and_note(router, shown, approve=approve, by="review")
    except ToolrouterError as error:
        say(f"Not saved: {error}")
        return False
    say(f"{len(decided.done)} {'approved' if approve else 'rejected'}.")
    for subject in decided.stale:
        say(f"{subject.id} is left as it was: its server says something else by now. Review it again.")
    return True


def _show_server(dossier: Dossier) -> None:
    from toolrouter.guard.scan import make_visible

    _styled(f"\n== {dossier.server} ==", "bold")
    for title, launch in (("starts", dossier.launch), ("started before", dossier.launched_before)):
        if launch:
            _styled(f"{title}: {make_visible(_launch_line(launch))}", "cyan")


def _launch_line(launch: dict[str, Any]) -> str:
    """The whole command or address: nothing of it is cut off."""
    what = launch["url"] or shlex.join([launch["command"], *launch["args"]])
    more = [f"in {launch['cwd']}"] if launch["cwd"] else []
    more += [f"with {name}" for name in launch["env"]] + [f"with header {name}" for name in launch["headers"]]
    return "  ".join([str(what), *more])


def _show(item: Item, number: int, total: int) -> int:
    """Shows one item, and returns how many lines of it."""
    from toolrouter.guard.scan import make_visible

    subject = item.subject
    title = f"{subject.kind} {make_visible(subject.id)}: {subject.status.value}; {subject.reason}"
    _styled(f"\n[{number}/{total}] {title}", "bold")
    print_text(f"sha256 {subject.hash}")
    lines = item.diff()
    _show_lines(lines[:_SHOWN_LINES])
    if len(lines) > _SHOWN_LINES:
        _styled(f"! not shown: {counted(len(lines) - _SHOWN_LINES, 'line')} more; --json has them all", "yellow")
    for finding in item.findings:
        style = "red" if finding.tier.value == "block" else "yellow"
        _styled(
            f"! {finding.tier.value} {finding.rule} at {make_visible(finding.where) or '/'}: {finding.explanation}",
            style,
        )
        if finding.excerpt:
            print_text(f"    {one_line(finding.excerpt, 300)}")
    if item.collisions:
        _styled(f"! easily taken for: {', '.join(item.collisions)}", "yellow")
    return min(len(lines), _SHOWN_LINES)


def _show_lines(lines: Sequence[str]) -> None:
    for line in lines:
        _styled(line, {"+": "green", "-": "red"}.get(line[:1], "dim"))


def _styled(line: str, style: str) -> None:
    from rich.console import Console
    from rich.text import Text

    if not sys.stdout.isatty():
        print_text(line)
        return
    # Text, not markup: what a server says must not style our output.
    Console(highlight=False, soft_wrap=True).print(Text(line, style=style))

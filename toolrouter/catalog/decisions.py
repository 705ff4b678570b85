"""What a list of decisions amounts to, and which new ones may join it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from toolrouter.types import Decision

FIRST_USE: Final = "first use"
"""Who decides when a server is trusted at first sight."""
TRUSTED: Final = "trust"
"""Who decides where every change is accepted."""
SAME_BUT_IGNORED: Final = "pin_ignore"
"""Who decides when a definition equals an approved one but for the fields that the config leaves out of the pin."""
SCANNER: Final = "scanner"
"""Who takes back an approval that no person gave: the definition then waits, it is not rejected."""
PROBE: Final = "probe"
"""Who takes back what a newcomer had approved by a mode, when it would win far too many searches."""
CONFIG: Final = "config"
"""Who decides what is started: a note of each launch spec, so that a change of it can be shown."""
TAKES_BACK: Final = frozenset({SCANNER, PROBE})
AUTOMATIC: Final = frozenset({FIRST_USE, TRUSTED, SAME_BUT_IGNORED, CONFIG}) | TAKES_BACK

Found = dict[str, frozenset[str]]


def hashes(decisions: Iterable[Decision], *, approved: bool) -> Found:
    """Returns by tool name the hashes whose latest decision, in the given order, is the one asked for."""
    return _grouped(made for made in _latest(decisions) if made.approved is approved and made.by not in TAKES_BACK)


def held_hashes(decisions: Iterable[Decision]) -> Found:
    """Returns by tool name the hashes whose approval an automatic check took back."""
    return _grouped(made for made in _latest(decisions) if made.by in TAKES_BACK)


def vetted_hashes(decisions: Iterable[Decision]) -> Found:
    """Returns by tool name the hashes that a person approved."""
    return _grouped(made for made in _latest(decisions) if made.approved and made.by not in AUTOMATIC)


def not_overruling(known: Collection[Decision], new: Iterable[Decision]) -> list[Decision]:
    """Returns those of a mode's decisions on a server that another process has not forestalled meanwhile.

    What was decided stands, and a name of which anything was decided is not seen for the first time. Automatic
    checks take back what a mode approved, never what a person did.
    """
    latest = {(made.name, made.hash): made for made in known}
    names = {made.name for made in known}

    def may_join(decision: Decision) -> bool:
        before = latest.get((decision.name, decision.hash))
        if decision.by in TAKES_BACK:
            return before is None or (before.approved and before.by in AUTOMATIC)
        return before is None and not (decision.by == FIRST_USE and decision.name in names)

    return list(filter(may_join, new))


def _latest(decisions: Iterable[Decision]) -> Iterable[Decision]:
    return {(made.name, made.hash): made for made in decisions}.values()


def _grouped(decisions: Iterable[Decision]) -> Found:
    found: dict[str, set[str]] = {}
    for made in decisions:
        found.setdefault(made.name, set()).add(made.hash)
    return {name: frozenset(known) for name, known in found.items()}

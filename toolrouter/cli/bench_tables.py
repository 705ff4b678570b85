"""What `bench tokens` says: its tables, what each figure of them counts, and whether toolrouter pays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from toolrouter.cli.output import NOT_KNOWN, counted
from toolrouter.evaluation.tokens import SERIALISATION, Comparison, Prices

OWN = "your servers"

_TOKENS = (
    "servers",
    "n",
    "tools",
    "everything",
    "surface",
    "search",
    "describe",
    "task",
    "session",
    "saved",
    "pays from",
    "until",
)
_MONEY = (
    "servers",
    "requests",
    "task",
    "session",
    "session, cached",
    "pays from",
    "pays from, cached",
    "found at once",
    "asked",
    "of them described",
)


class Section(NamedTuple):
    title: str
    table: Sequence[Sequence[str]]
    """The first row is the head; all but the first column are numbers."""
    about: str


def sections(compared: Sequence[Comparison], prices: Prices) -> list[Section]:
    tasks = counted(compared[0].tasks, "task")
    return [
        Section(
            "Tokens, each counted once: what of the context tools have taken when a session ends",
            [_TOKENS, *map(_tokens_row, compared)],
            f"{SERIALISATION}. everything: all definitions. surface: what toolrouter shows at the start. search, "
            "describe: one of each, with its answer. task: searches (two where a tool is missed), one describe, and "
            f"what calls take on top. session: the surface and {tasks}. saved: of everything. pays from: tools of this "
            "weight from which on a session ends with fewer tokens. until: searches until it ends with more.",
        ),
        Section(
            "Money for tools, in which each request counts: everything loaded → toolrouter",
            [_MONEY, *map(_money_row, compared)],
            f"Each request of a session sends the whole context again, at {prices.per_million:g} per million input "
            f"tokens; cached: what the request before had sent costs {prices.cached_per_million:g}. Searches and "
            "describes are requests of their own, so that a session may cost more money although it ends with fewer "
            f"tokens. requests: of a session of {tasks}. pays from: tools of this weight from which on a session costs "
            "less money. found at once: needed tools that the first search returned. asked: queries; of them in the "
            "words of descriptions, as nobody has written any over those servers.",
        ),
    ]


def verdict(each: Comparison) -> str:
    """Whether a session through toolrouter costs less, in tokens and in money; where not, from how many tools on."""
    whom = "you" if each.name == OWN else each.name
    costs = [cost for cost in _costs(each) if cost.pays_from]
    paying = [cost for cost in costs if each.tools >= cost.pays_from]
    losing = [cost for cost in costs if each.tools < cost.pays_from]
    have = f"for {whom} with {counted(each.tools, 'tool')}"
    if not losing:
        return f"pays {have}: {', '.join(f'from {cost.pays_from:,} in {cost.what}' for cost in paying)}."
    dearer = ", ".join(
        f"from {cost.pays_from:,} in {cost.what} ({cost.router} a session instead of {cost.everything})"
        for cost in losing
    )
    cheaper = f" It does in {' and in '.join(cost.what for cost in paying)}." if paying else ""
    return f"does not pay {have}: it would {dearer}.{cheaper}"


class _Cost(NamedTuple):
    what: str
    router: str
    everything: str
    pays_from: int


def _costs(each: Comparison) -> Iterator[_Cost]:
    yield _Cost("tokens", f"{each.session:,}", f"{each.everything:,}", each.pays_from_tools)
    router, everything = each.money_router, each.money_everything
    yield _Cost("money", f"{router.uncached:.4f}", f"{everything.uncached:.4f}", each.money_pays_from_tools)
    yield _Cost(
        "money with a cache", f"{router.cached:.4f}", f"{everything.cached:.4f}", each.money_cached_pays_from_tools
    )


def _tokens_row(each: Comparison) -> tuple[str, ...]:
    return (
        each.name,
        str(each.servers),
        str(each.tools),
        f"{each.everything:,}",
        f"{each.surface:,}",
        f"{each.task.per_search:,.0f}",
        f"{each.task.per_describe:,.0f}",
        f"{each.task.per_task:,.0f}",
        f"{each.session:,}",
        f"{100 * each.saved:.1f} %",
        f"{each.pays_from_tools} tools",
        f"{each.pays_until_searches}" if each.pays_until_searches else "never",
    )


def _money_row(each: Comparison) -> tuple[str, ...]:
    return (
        each.name,
        f"{each.requests_everything} → {each.requests_router}",
        f"{each.money_everything_task.uncached:.4f} → {each.money_router_task.uncached:.4f}",
        f"{each.money_everything.uncached:.4f} → {each.money_router.uncached:.4f}",
        f"{each.money_everything.cached:.4f} → {each.money_router.cached:.4f}",
        _from_tools(each.money_pays_from_tools),
        _from_tools(each.money_cached_pays_from_tools),
        f"{100 * each.task.found_at_once:.0f} %",
        str(each.task.queries),
        str(each.task.described),
    )


def _from_tools(number: int) -> str:
    return f"{number} tools" if number else NOT_KNOWN

"""Turns search answers and definitions into the text the model reads: few tokens, nothing said twice."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from toolrouter.catalog.naming import SEPARATOR
from toolrouter.catalog.signature import first_sentence, signature
from toolrouter.errors import NotFound
from toolrouter.server.requests import Detail, SearchRequest
from toolrouter.server.results import compact_json
from toolrouter.server.roster import RosterEntry
from toolrouter.server.router import Router
from toolrouter.server.standing import MARK
from toolrouter.server.waiting import awaiting_review
from toolrouter.server.words import clip, login_hint, not_found
from toolrouter.types import Hit, JsonObject, ServerState, Status, Tool, ToolId

if TYPE_CHECKING:
    from toolrouter.catalog.snapshot import Catalog
    from toolrouter.retrieval.search import SearchAnswer

WEAK_SCORE = 0.3
WEAK_OF_NAMED = 0.55
"""Where the best hit is of a server that was named: its nearest tool is found whether it has the right one or not."""
WEAK_ELSE = 0.7
"""Where that one does something else with the thing, besides."""
_QUERY_CHARS = 80
_ERROR_CHARS = 100
_NAMED_SERVERS = 8


def definition(tool: Tool) -> JsonObject:
    """The definition as it arrived, under the name by which the host knows it."""
    return {**tool.raw, "name": tool.id}


def render_definitions(found: Mapping[str, Tool | NotFound]) -> str:
    """One line per tool: its definition verbatim as compact JSON, or why there is none."""
    return "\n".join(
        compact_json(definition(tool)) if isinstance(tool, Tool) else not_found(tool) for tool in found.values()
    )


def render_search(request: SearchRequest, answer: SearchAnswer, router: Router) -> str:
    catalog = router.catalog
    doubt = max((hit.score for hit in answer.hits), default=0.0) < WEAK_SCORE
    weak = doubt or all(map(_fits_weakly, filter(None, answer.per_query)))
    locked = _that_need_a_login(answer, router)
    if locked:
        answer = _with_these_last(answer, locked)
    marked = router.unavailable() - set(locked.values())
    budget = router.settings.router.search.token_budget
    also = {hit.id: hit.also for hit in answer.hits}
    lines = _hit_lines(request, answer, _Lines(catalog, request.detail, budget, marked, also))
    if not lines:
        lines = [_nothing_fits(request, answer.near_servers)]
    elif weak:
        lines.append("These fit weakly: check that one does what you need, or say it in other words.")
    lines += [login_hint(alias) for alias in sorted(set(locked.values()))]
    if doubt or request.servers:
        lines += _absent_servers(router.roster(), request.servers)
    lines += awaiting_review(catalog, request.queries, request.servers, router.settings.enabled())
    if answer.warning:
        lines.append(f"Note: {answer.warning}")
    return "\n".join(lines)


def _fits_weakly(hits: Sequence[Hit]) -> bool:
    """Whether the best is far from certain, or of the server that was named, but does something else with the thing.

    "Create a dashboard" finds a tool that gets dashboards with much confidence: it is the nearest there is.
    """
    best = hits[0]
    if best.parts.get("server", 0.0) <= 0:
        return best.score < WEAK_SCORE
    return best.score < (WEAK_ELSE if best.parts.get("action", 0.0) < 0 else WEAK_OF_NAMED)


def _that_need_a_login(answer: SearchAnswer, router: Router) -> dict[ToolId, str]:
    """The hits that cannot be called before the user logs in, with their server."""
    owners = {hit.id: tool.server for hit in answer.hits if (tool := router.catalog.tools.get(hit.id))}
    waiting = {alias for alias in owners.values() if router.needs_login(alias)}
    return {tool_id: alias for tool_id, alias in owners.items() if alias in waiting}


def _with_these_last(answer: SearchAnswer, last: Collection[ToolId]) -> SearchAnswer:
    def moved(hits: Sequence[Hit]) -> tuple[Hit, ...]:
        return tuple(sorted(hits, key=lambda hit: hit.id in last))

    return replace(answer, hits=moved(answer.hits), per_query=tuple(map(moved, answer.per_query)))


class _Lines:
    """Writes a hit as the request asks for it; schemas as long as the token budget lasts."""

    def __init__(
        self,
        catalog: Catalog,
        detail: Detail,
        budget: int,
        unavailable: Collection[str],
        also: Mapping[ToolId, Sequence[ToolId]],
    ) -> None:
        self._catalog = catalog
        self._detail = detail
        self._left = budget
        self._unavailable = unavailable
        self._also = also

    def __call__(self, tool_id: ToolId) -> str | None:
        """None for a tool that was withdrawn since the index was built."""
        try:
            tool = self._catalog.find(tool_id)
        except NotFound:
            return None
        line = self._line(tool) + also_at(self._catalog, self._also.get(tool_id, ()))
        return f"{line} {MARK}" if tool.server in self._unavailable else line

    def _line(self, tool: Tool) -> str:
        if self._detail is Detail.NAME:
            return f"{tool.id} - {clip(first_sentence(tool.description), 80)}".removesuffix(" - ")
        if self._detail is Detail.SCHEMA and tool.tokens <= self._left:
            self._left -= tool.tokens
            return compact_json(definition(tool))
        return signature(tool)


def also_at(catalog: Catalog, twins: Sequence[ToolId]) -> str:
    """A note of the servers that have the very same tool, or its name there where that does not follow; else empty."""
    found = [tool for tool_id in twins if (tool := catalog.tools.get(tool_id)) and tool.status is Status.APPROVED]
    names = [tool.server if tool.id == f"{tool.server}{SEPARATOR}{tool.name}" else tool.id for tool in found]
    return f" (also at: {_some(names)})" if names else ""


def _hit_lines(request: SearchRequest, answer: SearchAnswer, line: _Lines) -> list[str]:
    groups = _groups(answer)
    if groups is None:
        return [text for hit in answer.hits if (text := line(hit.id))]
    lines: list[str] = []
    for at, (query, hits, ids) in enumerate(zip(request.queries, answer.per_query, groups, strict=True)):
        remark = " (these fit weakly)" if ids and _fits_weakly(hits) else ""
        lines.append(f"# {clip(query, _QUERY_CHARS)}{remark}")
        near = ", ".join(answer.near_per_query[at]) if answer.near_per_query else ""
        nothing = f"nothing fits; nearest servers: {near}" if near else "nothing fits"
        lines += [text for tool_id in ids if (text := line(tool_id))] or [nothing]
    return lines


def _groups(answer: SearchAnswer) -> list[list[ToolId]] | None:
    """Hits by query, each tool once, where it ranks best; None when one list reads better."""
    if len(answer.per_query) < 2 or not answer.hits:
        return None
    kept = {hit.id for hit in answer.hits}
    home = _best_query(answer.per_query)
    groups = [
        [hit.id for hit in hits if hit.id in kept and home[hit.id] == number]
        for number, hits in enumerate(answer.per_query)
    ]
    # A query whose hits all stand under another one would look unanswered.
    hidden = any(hits and not group for hits, group in zip(answer.per_query, groups, strict=True))
    return None if hidden or sum(map(len, groups)) < len(kept) else groups


def _best_query(per_query: Sequence[Sequence[Hit]]) -> dict[ToolId, int]:
    best: dict[ToolId, tuple[float, int]] = {}
    for number, hits in enumerate(per_query):
        for hit in hits:
            if hit.id not in best or hit.score > best[hit.id][0]:
                best[hit.id] = (hit.score, number)
    return {tool_id: number for tool_id, (_, number) in best.items()}


def _nothing_fits(request: SearchRequest, near: Sequence[str]) -> str:
    asked = " / ".join(f"“{clip(query, _QUERY_CHARS)}”" for query in request.queries)
    nearest = f" Nearest servers: {', '.join(near)}." if near else ""
    return (
        f"No tool fits {asked}.{nearest} "
        "Say one action and what it acts on (“list files in a folder”), or accept that there is none."
    )


def _absent_servers(roster: Sequence[RosterEntry], asked: Sequence[str] | None) -> list[str]:
    """Which servers could not be searched, because a miss may be theirs."""
    wanted = None if asked is None else {name.casefold() for name in asked}
    absent = [e for e in roster if not e.indexed and (wanted is None or e.alias.casefold() in wanted)]
    locked = [login_hint(entry.alias) for entry in absent if entry.needs_login]
    absent = [entry for entry in absent if not entry.needs_login]
    failed = [entry for entry in absent if entry.state is ServerState.FAILED]
    waiting = [entry.alias for entry in absent if entry.state is not ServerState.FAILED]
    lines = []
    if waiting:
        lines.append(f"Still being indexed: {_some(waiting)}. Search again in a moment.")
    if failed:
        # The reason stays with the person: it may hold what the server printed, which no one has approved.
        names = _some([entry.alias for entry in failed])
        lines.append(f"Not available: {names} (`toolrouter doctor` tells the user why).")
    return lines + locked


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED_SERVERS
    return ", ".join(names[:_NAMED_SERVERS]) + (f" and {more} more" if more > 0 else "")

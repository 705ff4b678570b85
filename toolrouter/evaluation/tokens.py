"""What tools cost the model: every definition loaded, against toolrouter's surface, searches, describes and calls.

One serialisation throughout, because the same catalog varies by a third with white space and fields: a definition
counts as its compact JSON {name, description, input_schema}; whatever else the model is shown counts as it is sent.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from toolrouter.catalog.tokens import count_tokens
from toolrouter.evaluation.described import DESCRIBED
from toolrouter.evaluation.measures import judged
from toolrouter.evaluation.sets import Query
from toolrouter.types import Tool

SERIALISATION = "o200k_base tokens; definitions as compact JSON {name, description, input_schema}, UTF-8, no spaces"
MOST_SEARCHES = 2
"""A tool that is not found is searched once more and then counted as found: the cap of the expected cost."""

Answer = Callable[[Sequence[str]], tuple[str, Sequence[str]]]
"""Queries to the text that the model reads and the ids of the tools in it."""


@dataclass(frozen=True, slots=True)
class TaskCost:
    """What one task adds to the context, on average over queries."""

    queries: int
    found_at_once: float
    """The share of needed tools that the first search returned."""
    tools_needed: float
    searches: float
    per_search: float
    """The call of search_tools and its answer."""
    per_describe: float
    """The definitions that describe_tools returns for the tools needed, and its call."""
    per_task: float
    """Searches, one describe, and what call_tool adds to each direct call."""
    requests: float
    """Model requests that a task takes through the router; without it, it takes `tools_needed` + 1."""
    described: int = 0
    """Of `queries`, those that nobody wrote: the first sentence of a tool's description asks for it."""


@dataclass(frozen=True, slots=True)
class Money:
    """What tools cost in the currency of the price, from the first request to the last."""

    uncached: float
    """Each request pays for the whole context again."""
    cached: float
    """What a request has in common with the one before it is read at the cached price."""


@dataclass(frozen=True, slots=True)
class Prices:
    per_million: float = 3.0
    cached_per_million: float = 0.3


@dataclass(frozen=True, slots=True)
class Comparison:
    """One bundle of servers, with everything loaded and with toolrouter."""

    name: str
    servers: int
    tools: int
    everything: int
    """Tokens of all definitions, in the context from the first request to the last."""
    surface: int
    """Tokens of what toolrouter shows at the start: its meta-tools and its instructions."""
    task: TaskCost
    tasks: int
    session: int
    """The surface and what the session's tasks add."""
    saved: float
    """Share of tokens in the context at the end of the session; negative when toolrouter costs more."""
    pays_from_tools: int
    """Tools of this bundle's average weight from which on a session ends with fewer tokens through the router."""
    pays_until_searches: int
    """Searches, with a describe and a call each, until everything loaded would have taken fewer tokens."""
    requests_everything: int
    requests_router: int
    """Model requests of a session."""
    money_everything: Money
    money_router: Money
    """Of a session."""
    money_everything_task: Money
    money_router_task: Money
    """Of a session of one task."""
    money_pays_from_tools: int
    money_cached_pays_from_tools: int
    """The same as `pays_from_tools`, by what a session costs; 0 where the price is."""


def task_cost(tools: Sequence[Tool], queries: Sequence[Query], answer: Answer) -> TaskCost:
    """Runs the queries as tasks. Each needs the tools that serve it, described once and called once."""
    by_id = {str(tool.id): tool for tool in tools}
    tasks = [_task(query, by_id, answer) for query in queries]
    wrapper = fmean(_call_overhead(tool) for tool in tools)
    needed = fmean(task.needed for task in tasks)
    searches = fmean(task.searches for task in tasks)
    per_search = fmean(task.search_tokens for task in tasks)
    describe = fmean(task.describe_tokens for task in tasks)
    return TaskCost(
        queries=len(tasks),
        found_at_once=sum(task.found for task in tasks) / sum(task.needed for task in tasks),
        tools_needed=needed,
        searches=searches,
        per_search=per_search,
        per_describe=describe,
        per_task=searches * per_search + describe + needed * wrapper,
        requests=searches + 1 + needed + 1,
        described=sum(query.kind == DESCRIBED for query in queries),
    )


def compare(
    name: str, tools: Sequence[Tool], task: TaskCost, *, surface: int, tasks: int, prices: Prices
) -> Comparison:
    everything = sum(tool.tokens for tool in tools)
    session = round(surface + tasks * task.per_task)
    loaded, routed = _loaded(everything, task, tasks), _contexts(task, surface, tasks)
    money_everything, money_router = _money(loaded, prices), _money(routed, prices)
    # One round is what a search usually leads to: the search itself, and its share of describing and calling.
    per_round = task.per_task / task.searches
    return Comparison(
        name=name,
        servers=len({tool.server for tool in tools}),
        tools=len(tools),
        everything=everything,
        surface=surface,
        task=task,
        tasks=tasks,
        session=session,
        saved=1 - session / everything,
        pays_from_tools=_pays_from(session, everything, len(tools)),
        pays_until_searches=max(0, math.floor((everything - surface) / per_round)),
        requests_everything=len(loaded),
        requests_router=len(routed),
        money_everything=money_everything,
        money_router=money_router,
        money_everything_task=_money(_loaded(everything, task, 1), prices),
        money_router_task=_money(_contexts(task, surface, 1), prices),
        money_pays_from_tools=_pays_from(money_router.uncached, money_everything.uncached, len(tools)),
        money_cached_pays_from_tools=_pays_from(money_router.cached, money_everything.cached, len(tools)),
    )


def _pays_from(router: float, everything: float, tools: int) -> int:
    """The least number of tools that cost more than the router does, as `tools` of them cost `everything`."""
    return math.floor(router * tools / everything) + 1 if everything else 0


@dataclass(frozen=True, slots=True)
class _Task:
    needed: int
    found: int
    searches: int
    search_tokens: int
    describe_tokens: int


def _task(query: Query, by_id: dict[str, Tool], answer: Answer) -> _Task:
    texts = list(query.subqueries or (query.text,))
    asked = {"queries": texts} if len(texts) > 1 else {"query": texts[0]}
    text, ids = answer(texts)
    found = len(judged(query, ids, {}).gold_ranks)
    needed = [by_id[gold] for gold in query.relevant]
    return _Task(
        len(needed),
        found,
        1 if found == len(needed) else MOST_SEARCHES,
        _json_tokens(asked) + count_tokens(text),
        _json_tokens({"names": [tool.id for tool in needed]}) + sum(tool.tokens for tool in needed),
    )


def _call_overhead(tool: Tool) -> int:
    """What `call_tool({"name", "arguments"})` takes more than a direct call with the same arguments."""
    return _json_tokens({"name": tool.id, "arguments": {}}) - _json_tokens({})


def _json_tokens(value: object) -> int:
    return count_tokens(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _contexts(task: TaskCost, surface: int, tasks: int) -> list[float]:
    """The tokens in the context at each request of a session through the router; tasks grow it evenly."""
    requests = max(1, round(tasks * task.requests))
    return [surface + tasks * task.per_task * number / requests for number in range(requests)]


def _loaded(everything: int, task: TaskCost, tasks: int) -> list[int]:
    """The tokens in the context at each request of a session with everything loaded."""
    return [everything] * round(tasks * (task.tools_needed + 1))


def _money(contexts: Sequence[float], prices: Prices) -> Money:
    uncached = sum(contexts) * prices.per_million / 1e6
    cached, known = 0.0, 0.0
    for context in contexts:
        cached += known * prices.cached_per_million + (context - known) * prices.per_million
        known = context
    return Money(uncached, cached / 1e6)

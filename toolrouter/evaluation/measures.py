"""Measures of a ranking against its qrels: per query first, the mean is taken by whoever reports.

Standard definitions. *Recall@k* is the share of gold that is found, *Success@k* whether any is, *Completeness@k*
whether all is. Twins count as their gold: see `judged`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from toolrouter.evaluation.sets import Query


@dataclass(frozen=True, slots=True)
class Judged:
    """One ranking, reduced to what measures ask for."""

    gold_ranks: tuple[int, ...]
    """Ranks at which gold was found, from 1, ascending."""
    gold: int
    server_ranks: tuple[int, ...]
    """The rank at which each server of the gold first appears, ascending."""
    gold_servers: int


def judged(query: Query, ranked: Sequence[str], server_of: Mapping[str, str]) -> Judged:
    """Judges tool ids, best first, against a query with gold.

    A twin stands for its gold. Once that is found, its other twins (and the gold itself) are skipped as if they had
    not been returned, so that what follows moves up.
    """
    ranks: dict[str, int] = {}
    servers: dict[str, int] = {}
    rank = 0
    for tool in dict.fromkeys(ranked):
        stands_for = _golds(query, tool)
        if stands_for and all(gold in ranks for gold in stands_for):
            continue
        rank += 1
        gold = next((gold for gold in stands_for if gold not in ranks), "")
        if gold:
            ranks[gold] = rank
        servers.setdefault(server_of.get(gold or tool, ""), rank)
    wanted = {server_of.get(gold, "") for gold in query.relevant}
    return Judged(
        tuple(sorted(ranks.values())),
        len(query.relevant),
        tuple(sorted(servers[server] for server in wanted if server in servers)),
        len(wanted),
    )


def _golds(query: Query, tool: str) -> list[str]:
    """The gold that a tool may stand for: itself first."""
    own = [tool] if tool in query.relevant else []
    return own + [gold for gold in query.relevant if gold != tool and tool in query.alt.get(gold, ())]


def recall(one: Judged, k: int) -> float:
    return sum(rank <= k for rank in one.gold_ranks) / one.gold


def success(one: Judged, k: int) -> float:
    return float(any(rank <= k for rank in one.gold_ranks))


def completeness(one: Judged, k: int) -> float:
    return float(sum(rank <= k for rank in one.gold_ranks) == one.gold)


def ndcg(one: Judged, k: int) -> float:
    """Binary gains; the ideal ranking has min(gold, k) of them on top."""
    gain = math.fsum(1 / math.log2(rank + 1) for rank in one.gold_ranks if rank <= k)
    ideal = math.fsum(1 / math.log2(rank + 1) for rank in range(1, min(one.gold, k) + 1))
    return gain / ideal


def reciprocal_rank(one: Judged, k: int) -> float:
    return next((1 / rank for rank in one.gold_ranks if rank <= k), 0.0)


def server_recall(one: Judged, k: int) -> float:
    """The share of the gold's servers that own one of the first k tools."""
    return sum(rank <= k for rank in one.server_ranks) / one.gold_servers


MEASURES: Mapping[str, Callable[[Judged], float]] = {
    "Recall@1": partial(recall, k=1),
    "Recall@5": partial(recall, k=5),
    "Recall@10": partial(recall, k=10),
    "NDCG@10": partial(ndcg, k=10),
    "Completeness@10": partial(completeness, k=10),
    "Success@1": partial(success, k=1),
    "Success@5": partial(success, k=5),
    "MRR@10": partial(reciprocal_rank, k=10),
    "ServerRecall@5": partial(server_recall, k=5),
}
"""Every measure that is reported, in the order of reports. All lie between 0 and 1; higher is better."""

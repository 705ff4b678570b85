"""Queries for tools that nobody has written any for: the first sentence of a tool's description asks for it.

Such a query has the words of what it looks for, so that it is found more easily than what a person would say.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from toolrouter.catalog.signature import first_sentence
from toolrouter.evaluation.sets import Query
from toolrouter.types import Tool

DESCRIBED = "described"
"""The kind of these queries."""
_MOST_CHARACTERS = 200


def described_queries(tools: Sequence[Tool], most: int) -> tuple[Query, ...]:
    """One query for each of some tools, drawn by lot with a fixed seed."""
    described = [tool for tool in tools if tool.description.strip()] or list(tools)
    drawn = random.Random(0).sample(described, min(most, len(described)))  # noqa: S311 - a sample, not a secret
    return tuple(
        Query(
            f"{DESCRIBED}:{tool.id}",
            first_sentence(tool.description, _MOST_CHARACTERS) or tool.name,
            (str(tool.id),),
            kind=DESCRIBED,
        )
        for tool in drawn
    )


def with_described(tools: Sequence[Tool], written: Sequence[Query], most: int) -> tuple[Query, ...]:
    """The written queries, and described ones for each server that none of them needs; without any, `most` over all.

    Such a server gets as many as the others have on average, so that no server outweighs another.
    """
    owner = {str(tool.id): tool.server for tool in tools}
    asked = {owner[gold] for query in written for gold in query.relevant if gold in owner}
    if not asked:
        return described_queries(tools, most)
    each = max(1, round(len(written) / len(asked)))
    made = list(written)
    for server in sorted({tool.server for tool in tools} - asked):
        made += described_queries([tool for tool in tools if tool.server == server], each)
    return tuple(made)

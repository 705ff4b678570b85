"""The admission probe: how many ordinary searches a server would win. Pure, but for the bundled reference.

A server is tried beside the tools that ship with toolrouter and those that are there already, on questions from all
walks of life. It is tried by words alone, which costs little and depends on no model. Servers of some size win less
than their share of all tools; one that wins more was written to be found, whatever is asked.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

from toolrouter.catalog.text import lexical_fields
from toolrouter.index.bm25f import Bm25f
from toolrouter.retrieval.capabilities import capabilities
from toolrouter.types import Tool

MOST_SHARE: Final = 0.075
"""Fewer first places than this are nobody's business: a small server for something common takes some."""
MOST_FOR_ITS_SIZE: Final = 1.4
"""Times its share of all tools. Of 97 honest servers the widest reached 1.02; 50 parrots reach 2 to 4."""


def dominates(new: Sequence[Tool], others: Sequence[Tool]) -> bool:
    """Return whether these tools of one server would take far more of ordinary searches than they deserve."""
    size = len(new) / (len(new) + len(others) + len(_reference()))
    return share_of_wins(new, others) > max(MOST_SHARE, MOST_FOR_ITS_SIZE * size)


def share_of_wins(new: Sequence[Tool], others: Sequence[Tool]) -> float:
    """Return the share of all probes in which one of these tools comes first, beside others and the reference."""
    index = Bm25f([*map(_fields, new), *map(_fields, others), *_reference()])
    first = [row for query in capabilities() for row, _ in index.search(query, 1)]
    return sum(row < len(new) for row in first) / max(1, len(first))


def _fields(tool: Tool) -> Mapping[str, str]:
    return lexical_fields(
        server=tool.server,
        name=tool.name,
        description=tool.description,
        input_schema=tool.input_schema,
        title=tool.title,
    )


@cache
def _reference() -> tuple[Mapping[str, str], ...]:
    found = []
    for file in sorted((files("toolrouter") / "data" / "recorded").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".json.gz"):
            alias = file.name.partition(".")[0]
            for raw in json.loads(gzip.decompress(file.read_bytes()))["tools"]:
                schema = raw.get("inputSchema")
                said = str(raw.get("description") or "")
                found.append(lexical_fields(server=alias, name=raw["name"], description=said, input_schema=schema))
    return tuple(found)

"""Qrels from use: which tools were called after which search.

What was never shown can hardly be called, so such queries favour the ranking that was there, and tell little about
tools that it missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from toolrouter.evaluation.sets import Query
from toolrouter.types import JsonObject

BELONGS_FOR_S = 900.0
"""A call this long after a search no longer belongs to it."""


def queries_from_log(events: Iterable[JsonObject]) -> tuple[Query, ...]:
    """Turns usage events, newest first, into queries with the tools that were called for them and succeeded.

    A call belongs to the latest search before it that showed the tool, else to the latest search. Searches that no
    successful call followed say nothing: nobody knows whether a tool was missing or not needed.
    """
    searches: list[tuple[JsonObject, list[str]]] = []
    for event in reversed(list(events)):
        if event.get("kind") == "search" and event.get("queries"):
            searches.append((event, []))
        elif event.get("kind") == "call" and event.get("succeeded"):
            _assign(event, searches)
    known: dict[tuple[str, ...], list[str]] = {}
    for search, called in searches:
        known.setdefault(tuple(map(str, search["queries"])), []).extend(called)
    return tuple(
        Query(f"log-{number}", "; ".join(texts), tuple(dict.fromkeys(called)), {}, texts if len(texts) > 1 else ())
        for number, (texts, called) in enumerate(known.items(), 1)
        if called
    )


def _assign(call: JsonObject, searches: Sequence[tuple[JsonObject, list[str]]]) -> None:
    tool, at = str(call.get("tool", "")), float(call.get("at", 0))
    recent = [each for each in searches if at - float(each[0].get("at", 0)) <= BELONGS_FOR_S]
    showing = [each for each in recent if tool in each[0].get("shown", ())]
    owner = (showing or recent)[-1:]
    for _, called in owner:
        called.append(tool)

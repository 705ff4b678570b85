"""The user's own catalog, as the store last saw it: nothing is started to read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from toolrouter.catalog.snapshot import Catalog, build_catalog
from toolrouter.catalog.store import open_store
from toolrouter.config import Settings
from toolrouter.errors import ConfigError, NotFound
from toolrouter.evaluation.sets import EvalSet, Query
from toolrouter.guard.policy import permitted
from toolrouter.types import JsonObject

MOST_EVENTS = 50_000


def own_catalog(settings: Settings, home: Path) -> Catalog:
    """Raises ConfigError when nothing is indexed yet, and StoreError."""
    store = open_store(home)
    try:
        enabled = settings.enabled()
        servers = [server for alias, server in store.servers().items() if alias in enabled]
        catalog = build_catalog(servers, store.tools(), permitted(settings))
    finally:
        store.close()
    if not catalog.visible:
        raise ConfigError("No tool of this config is indexed yet; run `toolrouter index` first.")
    return catalog


def own_events(home: Path) -> Sequence[JsonObject]:
    """The log of use on this machine, newest first."""
    store = open_store(home)
    try:
        return store.uses(MOST_EVENTS)
    finally:
        store.close()


def own_set(catalog: Catalog, queries: Sequence[Query]) -> EvalSet:
    """The catalog with queries over it, whose gold may be written as people write tool names.

    Queries with a tool that is not in the catalog are left out, and a warning counts them.

    Raises:
        ConfigError: none is left.
    """
    kept = [query for query in (_resolved(query, catalog) for query in queries) if query]
    if not kept:
        raise ConfigError(
            "None of the queries can be used: they need tools that are not in the catalog of this config. "
            "Gold is a tool's qualified name, as `toolrouter tools` shows it; --tools FILE brings other tools along."
        )
    lost = len(queries) - len(kept)
    need, are = ("needs", "is") if lost == 1 else ("need", "are")
    warning = f"{lost} of {len(queries)} queries {need} tools that are not in the catalog, and {are} left out."
    return EvalSet("own tools", catalog.visible, tuple(kept), (warning,) if lost else (), known_servers=catalog.servers)


def _resolved(query: Query, catalog: Catalog) -> Query | None:
    try:
        gold = {name: str(catalog.find(name).id) for name in query.relevant}
    except NotFound:
        return None
    alt = {gold[name]: _known(twins, catalog) for name, twins in query.alt.items() if name in gold}
    return replace(query, relevant=tuple(gold.values()), alt=alt)


def _known(names: Sequence[str], catalog: Catalog) -> tuple[str, ...]:
    found = []
    for name in names:
        try:
            found.append(str(catalog.find(name).id))
        except NotFound:
            continue  # a twin that is away costs nothing
    return tuple(found)

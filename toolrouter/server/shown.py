"""Whether what a server shows on the connection of one host is what the catalog has.

Only the shared connection fills the catalog, and is what people look at. On another one the same server may show
something else: it may be another version by now, it may go by what the host can do, or it may mean to deceive.
"""

from __future__ import annotations

from collections.abc import Set

from toolrouter.catalog.offers import Kind, Offer, offers_of
from toolrouter.catalog.snapshot import Catalog
from toolrouter.config import Settings
from toolrouter.errors import NotFound
from toolrouter.guard.fingerprint import fingerprint
from toolrouter.guard.pins import pinned_part
from toolrouter.types import JsonObject, Listing


def check_shown(catalog: Catalog, settings: Settings, listing: Listing, method: str, params: JsonObject) -> None:
    """Raises NotFound when a request makes use of something that this listing shows otherwise, or not at all.

    `params` are those that the server gets.
    """
    ref = params.get("ref") if method == "completion/complete" else params
    given = ref if isinstance(ref, dict) else {}
    alias, name, uri = listing.server.alias, given.get("name"), given.get("uri")
    known = {offer.hash for offer in catalog.offers.get(alias, ())}
    if method == "tools/call":
        pins = {tool.hash for tool in catalog.by_server(alias) if tool.name == name}
        ignored = settings.options(alias).pin_ignore
        found = [fingerprint(pinned_part(raw, ignored)) for raw in listing.tools if raw.get("name") == name]
        same = found[1:] == [] and pins.issuperset(found)
    elif isinstance(uri, str):
        name, found, same = uri, [uri], _is_resource_shown(known, listing, uri)
    else:
        prompts = [offer for offer in offers_of(listing.server) if offer.kind is Kind.PROMPT]
        found = [offer.hash for offer in prompts if offer.name == name]
        same = known.issuperset(found)
    if not found:
        raise NotFound(f"{alias} does not offer `{name}` to this host: what it offers may go by what a host can do.")
    if not same:
        words = f"{alias} shows this host another `{name}` than the one that was approved, and was not asked for it"
        raise NotFound(
            f"{words}. `toolrouter restart {alias}` starts it anew for everybody, and the change is reviewed."
        )


def _is_resource_shown(known: Set[str], listing: Listing, uri: str) -> bool:
    """As in the catalog, what is not listed may be read: see `Offerings`."""
    covering: list[Offer] = [offer for offer in offers_of(listing.server) if offer.covers(uri)]
    if any(offer.is_resource(uri) and offer.hash not in known for offer in covering):
        return False
    return not covering or any(offer.hash in known for offer in covering)

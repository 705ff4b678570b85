"""Whether what a server shows on the connection of one host is what the catalog has.

Only the shared connection fills the catalog, and is what people look at. On another one the same server may show
something else: it may be another version by now, it may go by what the host can do, or it may mean to deceive.
"""

from __future__ import annotations

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
    if method == "tools/call":
        same = _is_tool_shown(catalog, settings, listing, name)
    elif isinstance(uri, str):
        name, same = uri, _is_resource_shown(catalog, listing, uri)
    else:
        known = {offer.hash for offer in catalog.offers.get(alias, ())}
        shown = [offer for offer in offers_of(listing.server) if offer.kind is Kind.PROMPT and offer.name == name]
        same = bool(shown) and all(offer.hash in known for offer in shown)
    if not same:
        words = f"{alias} does not offer `{name}` to this host as it was approved: it may go by what the host can do"
        raise NotFound(f"{words}, or have changed. Search again; `toolrouter restart {alias}` starts it anew.")


def _is_tool_shown(catalog: Catalog, settings: Settings, listing: Listing, name: object) -> bool:
    ignored = settings.options(listing.server.alias).pin_ignore
    known = {tool.hash for tool in catalog.by_server(listing.server.alias) if tool.name == name}
    shown = [raw for raw in listing.tools if raw.get("name") == name]
    return len(shown) == 1 and fingerprint(pinned_part(shown[0], ignored)) in known


def _is_resource_shown(catalog: Catalog, listing: Listing, uri: str) -> bool:
    """As in the catalog, what is not listed may be read: see `Offerings`."""
    known = {offer.hash for offer in catalog.offers.get(listing.server.alias, ())}
    covering: list[Offer] = [offer for offer in offers_of(listing.server) if offer.covers(uri)]
    if any(offer.is_resource(uri) and offer.hash not in known for offer in covering):
        return False
    return not covering or any(offer.hash in known for offer in covering)

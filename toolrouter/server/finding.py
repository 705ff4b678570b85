"""Prompts and resources found by words, for a model whose host shows it tools alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from toolrouter.catalog.offers import Kind, Offer
from toolrouter.server.words import clip, first_sentence
from toolrouter.types import JsonObject

if TYPE_CHECKING:
    from toolrouter.catalog.snapshot import Catalog
    from toolrouter.index.bm25f import Bm25f

SECTIONS: Final[Mapping[str, tuple[Kind, ...]]] = {
    "prompts": (Kind.PROMPT,),
    "resources": (Kind.RESOURCE, Kind.TEMPLATE),
}
"""What a search may include beside tools, and what stands under it."""

MOST: Final = 5
"""So many of each section, where the search names no number."""
LEAST_SHARE: Final = 0.1
"""Of the score that all words of a query would bring, what is worth showing has this much."""
_ABOUT_CHARS: Final = 80
_ID_CHARS: Final = 300
_ARGUMENTS: Final = 8
_USE: Final = {
    "prompts": "prompts (the host gets them by name: prompts/get)",
    "resources": "resources (the host reads them by URI: resources/read; {…} is filled in)",
}
_NO_TOOL: Final = "No tool gets these. If you cannot either, name them to the user, who can pick them in the host."


class OfferSearch:
    """Ranks what servers offer beside tools, by words alone. Only what is approved and permitted is in it."""

    def __init__(self) -> None:
        self._built: tuple[object, tuple[Offer, ...], Bm25f] | None = None

    def find(
        self, catalog: Catalog, queries: Sequence[str], section: str, *, servers: Collection[str] | None, limit: int
    ) -> list[Offer]:
        """The best of one section for any of the queries. Takes the processor: call it in a worker thread."""
        offers, index = self._index_of(catalog)
        best: dict[int, float] = {}
        for query in queries:
            attainable = index.attainable(index.terms(query))
            for row, score in index.search(query, len(offers)) if attainable else ():
                share = score / attainable
                if share >= LEAST_SHARE and offers[row].kind in SECTIONS[section]:
                    best[row] = max(share, best.get(row, 0.0))
        ranked = sorted(best, key=lambda row: (-best[row], row))
        wanted = (offers[row] for row in ranked if servers is None or offers[row].server in servers)
        return list(islice(wanted, limit))

    def _index_of(self, catalog: Catalog) -> tuple[tuple[Offer, ...], Bm25f]:
        from toolrouter.index.bm25f import Bm25f

        built = self._built
        if built is None or built[0] is not catalog.offers:
            offers = tuple(offer for kind in Kind for offer in catalog.offered(kind))
            built = self._built = (catalog.offers, offers, Bm25f([_fields(offer) for offer in offers]))
        return built[1], built[2]


def render_offers(found: Mapping[str, Sequence[Offer]]) -> str:
    """One line each under a heading that says who gets them, and how."""
    lines: list[str] = []
    for section, offers in found.items():
        lines.append(f"# {_USE[section]}")
        lines += [line_of(offer) for offer in offers] or ["nothing fits"]
    return "\n".join([*lines, _NO_TOOL] if any(found.values()) else lines)


def line_of(offer: Offer) -> str:
    """Name or URI, a prompt's arguments, and what it is, in one line."""
    arguments = ", ".join(_argument_names(offer.raw))
    head = clip(offer.id, _ID_CHARS) + (f"({arguments})" if offer.kind is Kind.PROMPT else "")
    said = first_sentence(_text(offer.raw, "description")) or _title(offer)
    about = clip(said, _ABOUT_CHARS)
    return f"{head} - {about}" if about else head


def _fields(offer: Offer) -> Mapping[str, str]:
    from toolrouter.catalog.text import lexical_fields

    properties = {str(each.get("name")): {"description": _text(each, "description")} for each in _arguments(offer.raw)}
    return lexical_fields(
        server=offer.server,
        name=offer.name,
        description=_text(offer.raw, "description"),
        input_schema={"properties": properties},
        title=_title(offer),
    )


def _title(offer: Offer) -> str:
    name = "" if offer.kind is Kind.PROMPT else _text(offer.raw, "name")
    return " ".join(dict.fromkeys(part for part in (_text(offer.raw, "title"), name) if part))


def _argument_names(raw: JsonObject) -> list[str]:
    named = [each for each in _arguments(raw) if isinstance(each.get("name"), str)]
    return [clip(each["name"], 40) + ("*" if each.get("required") is True else "") for each in named[:_ARGUMENTS]]


def _arguments(raw: JsonObject) -> list[JsonObject]:
    found: Any = raw.get("arguments")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _text(raw: JsonObject, key: str) -> str:
    value = raw.get(key)
    return value if isinstance(value, str) else ""

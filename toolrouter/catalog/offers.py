"""What servers offer beside tools: prompts, resources and resource templates.

They are judged like tools, by the same append-only decisions, under names that say their kind: `prompt:greet`,
`resource:file:///a`, `template:file:///{path}`. A prompt is known by a qualified name, as a tool is; a resource by a
qualified URI, `alias+scheme://rest`, that any URI of the server can be made into and read back from.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from toolrouter.catalog.naming import tool_id
from toolrouter.types import JsonObject, Server

Hashes = Mapping[str, frozenset[str]]

_PLAIN: Final = re.compile(r"(?!.*-[0-9a-f]{8}\Z)[a-z][a-z0-9.-]{0,30}")
_FOREIGN: Final = re.compile(r"[^a-z0-9.]+")
_EXPRESSION: Final = re.compile(r"\{([^{}]*)\}")
_VOLATILE: Final = "lastModified"
"""Sizes and dates of resources change every day and mean nothing: the pin covers everything but these."""
MAX_TEMPLATE_PARTS: Final = 20


class Kind(StrEnum):
    PROMPT = "prompt"
    RESOURCE = "resource"
    TEMPLATE = "template"


SOURCES: Final = (
    (Kind.PROMPT, "prompts", "name"),
    (Kind.RESOURCE, "resources", "uri"),
    (Kind.TEMPLATE, "resourceTemplates", "uriTemplate"),
)


@dataclass(frozen=True, slots=True)
class Offer:
    """One prompt, resource or template of one server."""

    kind: Kind
    server: str
    name: str
    """The server's own name, URI or URI template for it, verbatim."""
    id: str
    """The qualified form of `name`, which hosts see."""
    raw: JsonObject = field(repr=False, compare=False)
    """As it arrived."""
    hash: str

    @property
    def decided_as(self) -> str:
        """The name under which decisions on it are recorded."""
        return f"{self.kind}:{self.name}"

    @property
    def shown(self) -> JsonObject:
        """As it arrived, under its qualified name."""
        key = {Kind.PROMPT: "name", Kind.RESOURCE: "uri", Kind.TEMPLATE: "uriTemplate"}[self.kind]
        return {**self.raw, key: self.id}

    def is_resource(self, uri: str) -> bool:
        return self.kind is Kind.RESOURCE and self.name == uri

    def covers(self, uri: str) -> bool:
        """Whether reading that URI is making use of this offer."""
        expands = self.kind is Kind.TEMPLATE and (self.name == uri or fits_template(self.name, uri))
        return expands or self.is_resource(uri)


Permits = Callable[[Offer], bool]


def offers_of(server: Server) -> Iterator[Offer]:
    """Everything a server offers beside tools, whatever was decided about it."""
    for kind, source, key in SOURCES:
        for raw in server.offers.get(source, ()):
            name = raw.get(key)
            if isinstance(name, str):
                made = tool_id(server.alias, name) if kind is Kind.PROMPT else qualified_uri(server.alias, name)
                yield Offer(kind, server.alias, name, made, raw, _hash(kind, raw))


def approved_offers(server: Server, approved: Hashes, rejected: Hashes) -> tuple[Offer, ...]:
    """Those that were approved as they are now."""
    return tuple(
        offer
        for offer in offers_of(server)
        if offer.hash in approved.get(offer.decided_as, ()) and offer.hash not in rejected.get(offer.decided_as, ())
    )


def qualified_uri(alias: str, uri: str) -> str:
    """The URI, or URI template, as hosts see it. `split_uri` is the way back."""
    return f"{scheme_of(alias)}+{uri}"


def split_uri(uri: str, aliases: Sequence[str]) -> tuple[str, str] | None:
    """The alias and the server's own URI of a qualified one; None for any other."""
    head, plus, rest = uri.partition("+")
    if not plus or ":" in head:
        return None
    folded = head.lower()  # programs that parse URIs lower their schemes
    return next(((alias, rest) for alias in aliases if scheme_of(alias) == folded), None)


def scheme_of(alias: str) -> str:
    """What stands before the `+`: the alias where a URI scheme can be that, else a readable rest with a hash."""
    if _PLAIN.fullmatch(alias):
        return alias
    digest = hashlib.sha256(alias.encode()).hexdigest()[:8]
    readable = _FOREIGN.sub("-", alias.lower()).strip("-.")[:20]
    return f"{readable if readable[:1].isalpha() else 's' + readable}-{digest}"


def fits_template(template: str, uri: str) -> bool:
    """Whether a URI can be an expansion of a URI template. Compares in one pass: templates come from servers."""
    parts = _EXPRESSION.split(template)
    literals, expressions = parts[::2], parts[1::2]
    if len(literals) > MAX_TEMPLATE_PARTS or not uri.startswith(literals[0]):
        return False
    position = len(literals[0])
    for number, literal in enumerate(literals[1:], start=1):
        last = number == len(literals) - 1
        if last:
            end = len(uri) - len(literal)
            found = end if end >= position and uri.endswith(literal) else -1
        else:
            found = uri.find(literal, position)
        if found < 0 or ("/" in uri[position:found] and not _spans_segments(expressions[number - 1])):
            return False
        position = found + len(literal)
    return position == len(uri)


def _spans_segments(expression: str) -> bool:
    return expression[:1] in {"+", "#", "/", "?", "&"} or expression.endswith("*")


def _hash(kind: Kind, raw: JsonObject) -> str:
    read = {key: value for key, value in raw.items() if key != "size"}
    if isinstance(notes := raw.get("annotations"), dict):
        read["annotations"] = {key: value for key, value in notes.items() if key != _VOLATILE}
    return hashlib.sha256(json.dumps([kind, read], sort_keys=True).encode()).hexdigest()

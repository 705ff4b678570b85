"""The catalog at one moment: immutable, so that a request reads it once and keeps what it read."""

from __future__ import annotations

import difflib
import heapq
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from types import MappingProxyType
from typing import Final

from toolrouter.catalog.naming import SEPARATOR
from toolrouter.catalog.offers import Kind, Offer
from toolrouter.errors import NotFound
from toolrouter.types import Server, Status, Tool, ToolId

NEAR: Final = 5
_MAX_NAME_CHARS: Final = 200
_CANDIDATES: Final = 40
_NEAR_CHARS: Final = 64
_ID = attrgetter("id")
_SIGNS = re.compile(r"(?=__|[./:])")
_LOOSE = str.maketrans({"-": "_", " ": "_"})


@dataclass(frozen=True)
class Catalog:
    """Every known tool, and those of them that a host may see. Made by `build_catalog`."""

    servers: Mapping[str, Server] = field(default_factory=dict)
    tools: Mapping[ToolId, Tool] = field(default_factory=dict)
    """Tools of every status; what a host gets to see comes from `visible` and `find` alone."""
    visible: tuple[Tool, ...] = ()
    """Approved and permitted, ordered by id."""
    offers: Mapping[str, tuple[Offer, ...]] = field(default_factory=dict)
    """Approved and permitted prompts, resources and templates, by server."""

    def offered(self, kind: Kind) -> tuple[Offer, ...]:
        """Those of one kind, ordered by id; of two with one id, the first by server."""
        found: dict[str, Offer] = {}
        for alias in sorted(self.offers):
            for offer in self.offers[alias]:
                if offer.kind is kind:
                    found.setdefault(offer.id, offer)
        return tuple(found[key] for key in sorted(found))

    def find(self, name: str) -> Tool:
        """Returns the visible tool of this name.

        The id is taken first; then `alias.tool`, `alias/tool`, `alias:tool` and `alias__tool`; then the tool's bare
        name when only one server has it; then the same without regard to case and `-` or `_`.

        Raises:
            NotFound: none or several match; `near` names visible tools only.
        """
        found = self._visible_ids.get(name) or self._only(self._exact, name) or self._only(self._loose, _loosen(name))
        if found:
            return found
        near = self.near(name)
        advice = f"Did you mean {', '.join(near)}?" if near else "Search for the tool first."
        raise NotFound(f"There is no tool {name[:_MAX_NAME_CHARS]!r}. {advice}", near)

    def known(self, name: str) -> Tool | None:
        """The one tool that is called so, whatever its status. Not for a host: see `find`."""
        if (found := self.tools.get(ToolId(name))) is not None:
            return found
        like = [tool for tool in self.tools.values() if name.endswith(tool.name)]
        meant = [tool for tool in like if name in {tool.name, *_qualified(tool)}]
        return meant[0] if len(meant) == 1 else None

    def has_approved(self, alias: str) -> bool:
        """Whether a host may see anything of that server."""
        approved = any(tool.status is Status.APPROVED for tool in self.by_server(alias))
        return approved or bool(self.offers.get(alias))

    def by_server(self, alias: str) -> tuple[Tool, ...]:
        """Returns a server's tools of every status, ordered by id."""
        return self._of_server.get(alias, ())

    def near(self, name: str, limit: int = NEAR) -> tuple[ToolId, ...]:
        """Returns the ids of the visible tools whose names are most like this one, the likest first."""
        wanted = _loosen(name[:_NEAR_CHARS])
        qualified = {tool.id: _loosen(tool.id) for tool in self.visible}
        # Comparing letter by letter is slow: only names that share enough pieces get there.
        pieces = {wanted[start : start + 3] for start in range(max(1, len(wanted) - 2))}
        shared = {tool_id: sum(piece in text for piece in pieces) for tool_id, text in qualified.items()}
        candidates = heapq.nsmallest(
            _CANDIDATES, (tool_id for tool_id, count in shared.items() if count), key=lambda tool_id: -shared[tool_id]
        )
        ratios = {tool_id: _likeness(wanted, qualified[tool_id]) for tool_id in candidates}
        best = sorted(ratios, key=lambda tool_id: (-ratios[tool_id], tool_id))
        return tuple(tool_id for tool_id in best[:limit] if ratios[tool_id] >= 0.5)

    def _only(self, names: Mapping[str, Sequence[Tool]], name: str) -> Tool | None:
        found = names.get(name, ())
        return found[0] if len(found) == 1 else None

    @cached_property
    def _visible_ids(self) -> Mapping[str, Tool]:
        return {tool.id: tool for tool in self.visible}

    @cached_property
    def _of_server(self) -> Mapping[str, tuple[Tool, ...]]:
        grouped: dict[str, list[Tool]] = defaultdict(list)
        for tool in self.tools.values():
            grouped[tool.server].append(tool)
        return {alias: tuple(tools) for alias, tools in grouped.items()}

    @cached_property
    def _exact(self) -> Mapping[str, Sequence[Tool]]:
        return _by_spelling(self.visible, self.servers, lambda text: text)

    @cached_property
    def _loose(self) -> Mapping[str, Sequence[Tool]]:
        return _by_spelling(self.visible, self.servers, _loosen)


def build_catalog(
    servers: Iterable[Server], tools: Iterable[Tool], permitted: Callable[[Tool], bool] = lambda tool: True
) -> Catalog:
    """Returns the snapshot of these servers and tools. Of two tools with one id, only the first by name is in it."""
    by_id: dict[ToolId, Tool] = {}
    for tool in sorted(tools, key=lambda tool: (tool.id, tool.server, tool.name)):
        by_id.setdefault(tool.id, tool)
    by_alias = {server.alias: server for server in sorted(servers, key=lambda server: server.alias)}
    return Catalog(MappingProxyType(by_alias), MappingProxyType(by_id), _visible(by_id.values(), permitted))


def replace_server(
    before: Catalog, server: Server, tools: Iterable[Tool], permitted: Callable[[Tool], bool] = lambda tool: True
) -> Catalog:
    """Returns the snapshot with one server's tools replaced; their ids must belong to no other server's tools.

    Asks `permitted` about these tools only: a catalog of hundreds of servers fills up one by one.
    """
    new = sorted(tools, key=_ID)
    kept = [tool for tool in before.tools.values() if tool.server != server.alias]
    seen = [tool for tool in before.visible if tool.server != server.alias]
    return Catalog(
        MappingProxyType(dict(sorted({**before.servers, server.alias: server}.items()))),
        MappingProxyType({tool.id: tool for tool in sorted(kept + new, key=_ID)}),
        tuple(sorted([*seen, *_visible(new, permitted)], key=_ID)),
        before.offers,
    )


def _visible(tools: Iterable[Tool], permitted: Callable[[Tool], bool]) -> tuple[Tool, ...]:
    return tuple(tool for tool in tools if tool.status is Status.APPROVED and permitted(tool))


def _by_spelling(
    tools: Iterable[Tool], servers: Iterable[str], spell: Callable[[str], str]
) -> Mapping[str, Sequence[Tool]]:
    qualified: dict[str, list[Tool]] = defaultdict(list)
    bare: dict[str, list[Tool]] = defaultdict(list)
    for tool in tools:
        for spelling in {spell(name) for name in (tool.id, *_qualified(tool))}:
            qualified[spelling].append(tool)
        bare[spell(tool.name)].append(tool)
    # A tool must not answer to a name that reads as another server's, even when that one's tool is not visible.
    aliases = frozenset(map(_loosen, servers))
    for name, found in bare.items():
        loose = _loosen(name)
        if not any(loose[: sign.start()] in aliases for sign in _SIGNS.finditer(loose)):
            qualified.setdefault(name, found)
    return qualified


def _qualified(tool: Tool) -> tuple[str, ...]:
    return tuple(f"{tool.server}{sign}{tool.name}" for sign in (SEPARATOR, ".", "/", ":"))


def _loosen(name: str) -> str:
    return name[:_MAX_NAME_CHARS].strip().casefold().translate(_LOOSE)


def _likeness(wanted: str, text: str) -> float:
    bare = text.split(SEPARATOR, 1)[-1]
    return max(difflib.SequenceMatcher(None, wanted, candidate).ratio() for candidate in (text, bare))

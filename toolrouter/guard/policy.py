"""Which tools the config lets be seen and called, whatever is approved."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import translate
from functools import cache
from typing import TYPE_CHECKING

from toolrouter.types import Tool

if TYPE_CHECKING:
    from toolrouter.catalog.offers import Offer
    from toolrouter.config import Settings


def permitted(settings: Settings) -> Callable[[Tool], bool]:
    """Returns the test by `allow` and `deny` of each server.

    A glob matches a tool's own name or its id, in any case; `deny` wins. Tools of servers that are switched off or
    not in the config are never permitted.
    """
    enabled = frozenset(settings.enabled())

    @cache
    def rules(alias: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
        options = settings.options(alias)
        return _any_of(options.allow), _any_of(options.deny)

    def is_permitted(tool: Tool) -> bool:
        if tool.server not in enabled:
            return False
        allow, deny = rules(tool.server)
        names = (tool.name.casefold(), tool.id.casefold())
        return any(map(allow.match, names)) and not any(map(deny.match, names))

    return is_permitted


def permits_offer(settings: Settings) -> Callable[[Offer], bool]:
    """Returns the same test for prompts, resources and templates.

    A glob matches their own name or URI, the qualified one, or either with the kind before it (`prompt:*`).
    """
    enabled = frozenset(settings.enabled())

    def permits(offer: Offer) -> bool:
        if offer.server not in enabled:
            return False
        options = settings.options(offer.server)
        names = [name.casefold() for name in (offer.name, offer.id)]
        names += [f"{offer.kind}:{name}" for name in names]
        allow, deny = _any_of(options.allow), _any_of(options.deny)
        return any(map(allow.match, names)) and not any(map(deny.match, names))

    return permits


@cache
def _any_of(globs: tuple[str, ...]) -> re.Pattern[str]:
    # Without globs nothing matches.
    return re.compile("|".join(translate(glob.casefold()) for glob in globs) or r"(?!)")

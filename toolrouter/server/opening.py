"""What a host is told before it asks for anything of its own: who serves it, and the first page of tools.

The same for every host of an era and an exposure, so that the daemon can leave it to connectors for the time before
the next daemon is up.
"""

from __future__ import annotations

from collections.abc import Collection

from toolrouter import __version__
from toolrouter.server.exposure import Surface
from toolrouter.server.protocol import (
    HANDSHAKE_VERSIONS,
    LATEST_HANDSHAKE,
    MODERN_VERSIONS,
    is_modern,
    stamped,
)
from toolrouter.types import JsonObject, ToolId
from toolrouter.wire.lines import encode_message

SERVER_INFO: JsonObject = {"name": "toolrouter", "title": "toolrouter", "version": __version__}
CAPABILITIES: JsonObject = {
    "tools": {"listChanged": True},
    "prompts": {"listChanged": True},
    "resources": {"subscribe": True, "listChanged": True},
    "completions": {},
    "logging": {},
}
_DISCOVER_TTL_MS = 60_000
_LEFT_TTL_MS = 1_000
"""How long a list may be kept that a connector answered from what it was left: nobody announces its changes."""


def initialized(surface: Surface, version: str) -> JsonObject:
    """The result of `initialize`; `version` is the one agreed on."""
    return {
        "protocolVersion": version,
        "capabilities": CAPABILITIES,
        "serverInfo": SERVER_INFO,
        "instructions": surface.instructions(),
    }


def discovered(surface: Surface) -> JsonObject:
    """The result of `server/discover`."""
    return {
        "supportedVersions": list(MODERN_VERSIONS),
        "capabilities": CAPABILITIES,
        "instructions": surface.instructions(),
        "ttlMs": _DISCOVER_TTL_MS,
        "cacheScope": "private",
    }


def listed(surface: Surface, version: str, cursor: object, working_set: Collection[ToolId] = ()) -> JsonObject:
    """The result of `tools/list`. Raises RpcError for a cursor that is not one of ours."""
    tools, following = surface.page(cursor, version, working_set)
    result: JsonObject = {"tools": tools}
    if following is not None:
        result["nextCursor"] = following
    return {**result, **surface.caching()} if is_modern(version) else result


def left_to_connectors(surface: Surface) -> JsonObject:
    """What a connector answers with while no daemon runs; results as text, as they go over the wire.

    Empty as long as a host would have to wait for its list.
    """
    if not surface.is_settled:
        return {}
    old, new = LATEST_HANDSHAKE, MODERN_VERSIONS[0]
    fresh = listed(surface, new, None)
    brief = fresh if fresh["cacheScope"] == "public" else {**fresh, "ttlMs": _LEFT_TTL_MS}
    return {
        "handshake": {
            "versions": list(HANDSHAKE_VERSIONS),
            "initialize": _text(initialized(surface, old)),
            "tools/list": _text(listed(surface, old, None)),
        },
        "modern": {
            "versions": list(MODERN_VERSIONS),
            "server/discover": _text(stamped(discovered(surface), SERVER_INFO)),
            "tools/list": _text(stamped(brief, SERVER_INFO)),
        },
    }


def _text(result: JsonObject) -> str:
    return encode_message(result).decode().rstrip("\n")

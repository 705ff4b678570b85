"""What a server says about itself: its instructions, title and description. Approved or not, like a tool."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Final

from toolrouter.types import JsonObject, Server

SAYING: Final = "instructions:"
"""The name under which decisions on it are recorded."""
LAUNCH: Final = "launch:"
"""The name under which it is recorded how a server was started."""
_DOMAIN: Final = b"toolrouter-saying-1\0"
_SAID_IN_INFO: Final = ("description", "websiteUrl", "icons")


def saying(server: Server) -> JsonObject:
    """Returns what a server says of itself to every model; empty when it says nothing."""
    info = {key: server.server_info[key] for key in _SAID_IN_INFO if server.server_info.get(key)}
    said = {"title": server.title, "instructions": server.instructions, **info}
    return {key: value for key, value in said.items() if value}


def saying_hash(said: JsonObject) -> str:
    return hashlib.sha256(_DOMAIN + json.dumps(said, sort_keys=True).encode()).hexdigest()


def muted(server: Server) -> Server:
    """Returns the server without a word of its own."""
    return replace(server, title="", instructions="", server_info={})

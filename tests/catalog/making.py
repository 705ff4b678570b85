"""Small values for the catalog's tests."""

from __future__ import annotations

from typing import Any

from toolrouter.catalog.naming import tool_id
from toolrouter.guard.fingerprint import fingerprint
from toolrouter.types import JsonObject, Listing, Server, Status, Tool


def definition(name: str, description: str = "Does it", **more: Any) -> JsonObject:
    return {"name": name, "description": description, "inputSchema": {"type": "object"}, **more}


def tool(alias: str, raw: JsonObject | str, status: Status = Status.APPROVED, reason: str = "") -> Tool:
    raw = definition(raw) if isinstance(raw, str) else raw
    name = raw["name"]
    return Tool(tool_id(alias, name), alias, name, raw, fingerprint(raw), 10, status, reason)


def listing(alias: str, *raws: JsonObject | str, **server: Any) -> Listing:
    return Listing(Server(alias, **server), [definition(raw) if isinstance(raw, str) else raw for raw in raws])

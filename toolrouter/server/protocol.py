"""The words of both protocol eras, and what each demands of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolrouter.errors import RpcError
from toolrouter.types import JsonObject

HANDSHAKE_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN_VERSIONS = ("2026-07-28",)
LATEST_HANDSHAKE = HANDSHAKE_VERSIONS[-1]
LATEST_MODERN = MODERN_VERSIONS[-1]

RESERVED = "io.modelcontextprotocol/"
VERSION_KEY = RESERVED + "protocolVersion"
CAPABILITIES_KEY = RESERVED + "clientCapabilities"
SERVER_INFO_KEY = RESERVED + "serverInfo"
LOG_LEVEL_KEY = RESERVED + "logLevel"
SUBSCRIPTION_KEY = RESERVED + "subscriptionId"

INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
UNSUPPORTED_VERSION = -32022

LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
LISTS = {"tools": "toolsListChanged", "prompts": "promptsListChanged", "resources": "resourcesListChanged"}
"""The lists that a host can be told about, and their names in a subscription of the new era."""
RETRY_KEYS = ("inputResponses", "requestState")
"""What a new-era host adds to a request when it brings what it was asked for."""
RESOURCE_NOT_FOUND = -32002
MISSING_CAPABILITY = -32021
SUBSCRIBED = "notifications/subscriptions/acknowledged"


_OF_THE_HOST = frozenset({CAPABILITIES_KEY, LOG_LEVEL_KEY})
"""What new-era upstreams must learn of the host behind us: they may ask it, and log to it."""


def is_modern(version: str) -> bool:
    return version in MODERN_VERSIONS


def is_enveloped(params: Mapping[str, Any]) -> bool:
    """Whether a request names its protocol version, which only requests of the new era do."""
    meta = params.get("_meta")
    return isinstance(meta, dict) and VERSION_KEY in meta


def checked_version(params: Mapping[str, Any]) -> str:
    """The protocol version of a new-era request. Raises RpcError when the envelope is incomplete or not served."""
    meta = params.get("_meta")
    given = meta if isinstance(meta, dict) else {}
    missing = [key for key in (VERSION_KEY, CAPABILITIES_KEY) if key not in given]
    if missing:
        raise RpcError(INVALID_PARAMS, f"Invalid params: _meta must carry {' and '.join(missing)}")
    version = given[VERSION_KEY]
    if not isinstance(version, str):
        raise RpcError(INVALID_PARAMS, f"Invalid params: {VERSION_KEY} must be a string")
    if not isinstance(given[CAPABILITIES_KEY], dict):
        raise RpcError(INVALID_PARAMS, f"Invalid params: {CAPABILITIES_KEY} must be an object")
    if version not in MODERN_VERSIONS:
        raise unsupported_version("Unsupported protocol version", version)
    return version


def unsupported_version(message: str, requested: object) -> RpcError:
    data: JsonObject = {"supported": list(MODERN_VERSIONS)}
    if isinstance(requested, str):
        data["requested"] = requested
    return RpcError(UNSUPPORTED_VERSION, message, data)


def method_not_found(method: str) -> RpcError:
    return RpcError(METHOD_NOT_FOUND, "Method not found", method)


def stamped(result: JsonObject, server_info: JsonObject) -> JsonObject:
    """The result with what the new era asks of every one. What the result says itself is kept."""
    answer = result if isinstance(result.get("resultType"), str) else {"resultType": "complete", **result}
    meta = answer.get("_meta")
    if meta is not None and not isinstance(meta, dict):
        return answer
    if meta and meta.get(SERVER_INFO_KEY) is not None:
        return answer
    return {**answer, "_meta": {**(meta or {}), SERVER_INFO_KEY: server_info}}


def list_changed(name: str) -> str:
    return f"notifications/{name}/list_changed"


def retried(params: Mapping[str, Any]) -> JsonObject:
    return {key: params[key] for key in RETRY_KEYS if key in params}


def forwarded_meta(meta: Mapping[str, Any]) -> JsonObject:
    """What of a host's `_meta` belongs to the call itself, as opposed to this hop: the upstream hop has its own."""
    return {
        key: value
        for key, value in meta.items()
        if key != "progressToken" and (not key.startswith(RESERVED) or key in _OF_THE_HOST)
    }

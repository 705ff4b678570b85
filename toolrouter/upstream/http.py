"""Messages over Streamable HTTP, through the official SDK's transport.

The SDK's streams are used, its session and models are not: its typed client drops unknown fields. The module is
imported with the first remote server only, because importing the SDK takes seconds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolrouter.config import Limits, UpstreamSpec
from toolrouter.types import JsonObject
from toolrouter.upstream.http_client import HttpClient
from toolrouter.upstream.oauth import auth_for
from toolrouter.wire.caller import SENT, Sourced
from toolrouter.wire.lines import LineFault

if TYPE_CHECKING:
    from mcp.shared.message import SessionMessage

VERSION_META_KEY = "io.modelcontextprotocol/protocolVersion"


class HttpCarrier:
    """An open Streamable HTTP or SSE transport."""

    pid: int | None = None

    def __init__(self, read: AsyncIterator[SessionMessage | Exception], write: Any) -> None:
        self.protocol_version = ""
        self.header_maps: dict[str, dict[tuple[str, ...], str]] = {}
        self._read = read
        self._write = write
        self.messages: AsyncIterator[JsonObject | LineFault] = self._iterate()

    async def send(self, message: JsonObject) -> None:
        from mcp.shared.message import ClientMessageMetadata, SessionMessage

        await self._write.send(SessionMessage(_typed(message), ClientMessageMetadata(headers=self._headers(message))))

    def post_mortem(self) -> str:
        return ""

    def note(self, text: str) -> None:
        return

    def learn_headers(self, tools: list[JsonObject]) -> None:
        from mcp.shared.inbound import x_mcp_header_map

        found = {str(tool.get("name")): x_mcp_header_map(tool.get("inputSchema")) for tool in tools}
        self.header_maps = {name: header_map for name, header_map in found.items() if header_map}

    async def _iterate(self) -> AsyncIterator[JsonObject | LineFault]:
        async for item in self._read:
            yield LineFault(str(item)) if isinstance(item, Exception) else self._sourced(_plain(item))

    def _sourced(self, message: JsonObject) -> JsonObject:
        """The SDK handles each stream of a request in the context that sent it, and brings that context along."""
        if "method" not in message:
            return message
        context = getattr(self._read, "last_context", None)
        sent = context.get(SENT) if context is not None else None
        return Sourced(message, sent) if sent is not None else message

    def _headers(self, message: JsonObject) -> dict[str, str]:
        params = message.get("params") or {}
        version = (params.get("_meta") or {}).get(VERSION_META_KEY)
        if version is None:
            return {"mcp-protocol-version": self.protocol_version} if self.protocol_version else {}
        return {"mcp-protocol-version": version, **self._modern_headers(str(message.get("method")), params)}

    def _modern_headers(self, method: str, params: JsonObject) -> dict[str, str]:
        from mcp.shared.inbound import NAME_BEARING_METHODS, encode_header_value, mcp_param_headers

        headers = {"mcp-method": method}
        name = params.get(NAME_BEARING_METHODS.get(method, ""))
        if isinstance(name, str):
            headers["mcp-name"] = encode_header_value(name)
            if header_map := self.header_maps.get(name):
                headers |= mcp_param_headers(header_map, params.get("arguments") or {})
        return headers


@asynccontextmanager
async def open_http(
    alias: str, spec: UpstreamSpec, limits: Limits, home: Path | None = None
) -> AsyncIterator[HttpCarrier]:
    """Opens a remote server's transport; nothing is sent yet. `home`: where logins are kept."""
    from mcp.client.streamable_http import streamable_http_client

    async with (
        HttpClient(spec.headers, limits.max_message_bytes, auth_for(alias, spec, home)) as client,
        streamable_http_client(spec.url or "", http_client=client, max_sse_event_size=limits.max_message_bytes) as (
            read,
            write,
        ),
    ):
        yield HttpCarrier(read, write)


def _plain(item: SessionMessage) -> JsonObject:
    return item.message.model_dump(by_alias=True, exclude_unset=True)


def _typed(message: JsonObject) -> Any:
    from mcp_types import jsonrpc_message_adapter

    return jsonrpc_message_adapter.validate_python(message, by_name=False)

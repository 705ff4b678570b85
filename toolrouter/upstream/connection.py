"""One negotiated connection: raw requests in the envelope of its era, errors with the server's last words."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from toolrouter import __version__
from toolrouter.errors import LoginNeeded, RpcError, UpstreamError, UpstreamTimeout
from toolrouter.types import JsonObject, Server
from toolrouter.upstream.carrier import LOGIN, Carrier, failure_of
from toolrouter.wire.jsonrpc import Handler, NotificationHandler, Peer
from toolrouter.wire.waiter import OnProgress

if TYPE_CHECKING:
    from toolrouter.ports import Link

MODERN = "2026-07-28"
HANDSHAKE = "2025-11-25"
CLIENT_INFO: JsonObject = {"name": "toolrouter", "version": __version__}
META = "io.modelcontextprotocol/"
ENVELOPE = frozenset({META + key for key in ("protocolVersion", "clientInfo", "clientCapabilities", "logLevel")})
LAST_WORDS_S = 1.0


class NotDelivered(UpstreamError):
    """The request certainly did not reach the server's code: it may be sent again over a new connection."""


async def _no_notification(_method: str, _params: JsonObject) -> None:
    return


@dataclass(frozen=True, slots=True)
class ReverseHandlers:
    """What we can serve when an upstream asks us. `ping` is always answered, everything else is refused by default."""

    capabilities: JsonObject = field(default_factory=dict)
    """Declared to the upstream: nothing that `on_request` cannot serve."""
    on_request: Handler | None = None
    on_notification: NotificationHandler = _no_notification
    handshake: bool = False
    """Whether hosts of the handshake era are there: then that era is preferred, where a server speaks both."""
    owner: Hashable | None = None
    """The one host whose connection it is; None where hosts share it."""


class Connection:
    """An open, negotiated connection. Use it from any task; only `connect` closes it."""

    def __init__(self, alias: str, carrier: Carrier, peer: Peer, capabilities: JsonObject) -> None:
        self.link: Link = peer
        self.server = Server(alias)
        self.closed = anyio.Event()
        self.modern = False
        self.failure = ""
        self.carrier = carrier
        self.capabilities = capabilities
        """What we declare to be able to serve."""
        self._alias = alias
        self.peer = peer

    @property
    def pid(self) -> int | None:
        return self.carrier.pid

    @property
    def broken(self) -> bool:
        return bool(self.peer.end_reason)

    @property
    def in_flight(self) -> int:
        return self.peer.in_flight

    async def request(
        self,
        method: str,
        params: JsonObject | None,
        *,
        timeout_s: float,
        on_progress: OnProgress | None = None,
        meta: JsonObject | None = None,
    ) -> JsonObject:
        """The raw result. `meta` is laid over `params._meta`; the envelope of the negotiated era is added.

        Raises:
            RpcError: the server answered with an error.
            UpstreamTimeout: it did not answer in time.
            UpstreamError: the connection broke; the message has the server's last words.
        """
        prepared = self._enveloped(params, meta)
        try:
            return await self.link.request(method, prepared, timeout_s=timeout_s, on_progress=on_progress)
        except RpcError as error:
            if failure := failure_of(error.data):
                raise self._http_failure(failure, error) from error
            raise
        except UpstreamTimeout:
            raise
        except UpstreamError as error:
            raise UpstreamError(self._alias, await self.explain(str(error))) from error

    async def notify(self, method: str, params: JsonObject | None = None) -> None:
        await self.link.notify(method, self._enveloped(params, None))

    async def explain(self, message: str) -> str:
        """`message` with the connection's failure and the server's last words, as far as they are known."""
        with anyio.move_on_after(LAST_WORDS_S if self.broken else LAST_WORDS_S / 4):
            await self.closed.wait()
        known = (self.failure, self.carrier.post_mortem())
        return "; ".join([message, *(part for part in known if part and part not in message)])

    def close(self, reason: str) -> None:
        """Ends the connection from our side; whatever still waits fails with `reason`."""
        self.peer.close(reason)

    def _http_failure(self, kind: str, error: RpcError) -> UpstreamError:
        if kind == "expired":
            self.close("the session expired")
            return NotDelivered(self._alias, f"{self._alias}: the session expired")
        if kind == LOGIN:
            self.close(error.message)  # the next call begins anew, with the login of then
            return LoginNeeded(self._alias, f"{self._alias}: {error.message}")
        return UpstreamError(self._alias, f"{self._alias}: {error.message}")

    def _enveloped(self, params: JsonObject | None, meta: JsonObject | None) -> JsonObject | None:
        given = params.get("_meta") if params else None
        merged = {**(given if isinstance(given, dict) else {}), **(meta or {})}
        if self.modern:
            envelope = {META + "clientInfo": CLIENT_INFO, META + "clientCapabilities": self.capabilities}
            merged = {**envelope, **merged, META + "protocolVersion": MODERN}
        elif merged:
            # An envelope from a 2026-07-28 host would tell a handshake server the wrong era.
            merged = {key: value for key, value in merged.items() if key not in ENVELOPE}
        if not merged and given is None:
            return params
        rest = {key: value for key, value in (params or {}).items() if key != "_meta"}
        return {**rest, "_meta": merged} if merged else rest

"""Lets in only HTTP requests that carry the token and come by a name and from an origin that belong to us."""

from __future__ import annotations

import hmac
import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from toolrouter.config import HttpSettings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - compared with, never bound to


class Guard:
    """ASGI middleware. A web page can neither guess the token nor, by rebinding a name to us, use a browser's reach."""

    def __init__(self, app: ASGIApp, host: str, token: str, settings: HttpSettings) -> None:
        self._app = app
        self._token = token.encode()
        own = _LOOPBACK_NAMES if is_loopback(host) else (host,)
        self._hosts = {name.casefold() for name in (*own, *settings.allowed_hosts)}
        # Bound to every address with no name configured, there is nothing to compare with: the token alone decides.
        self._any_host = host in _WILDCARDS and not settings.allowed_hosts
        self._origins = {origin.casefold().rstrip("/") for origin in settings.allowed_origins}
        self._loopback = is_loopback(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := self._refusal(scope)) is not None:
            await _answer(send, *refusal)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = {name.lower(): value for name, value in scope["headers"]}
        if not self._host_fits(headers.get(b"host", b"").decode("latin-1")):
            return 421, "This name is not one of toolrouter's; add it to toolrouter.http.allowed_hosts."
        if not self._origin_fits(headers.get(b"origin", b"").decode("latin-1")):
            return 403, "This origin is not allowed; add it to toolrouter.http.allowed_origins."
        if not self._is_authorised(headers.get(b"authorization", b"")):
            return 401, "Send the header Authorization: Bearer <token>."
        return None

    def _host_fits(self, header: str) -> bool:
        if self._any_host:
            return True
        folded = header.casefold()
        return folded in self._hosts or _name(f"//{folded}") in self._hosts

    def _origin_fits(self, header: str) -> bool:
        """Hosts that are no browsers send no origin."""
        folded = header.casefold()
        if not folded or folded in self._origins:
            return True
        return self._loopback and _name(folded) in _LOOPBACK_NAMES

    def _is_authorised(self, header: bytes) -> bool:
        scheme, _, given = header.partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), self._token)


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.casefold() == "localhost"


def _name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


async def _answer(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    if status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="toolrouter"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})

"""Whom a server may send us to: nobody nearer to this machine than the server itself.

Discovery, registration and redirects name addresses that a stranger chose. A name is resolved once, all its addresses
are looked at, and the connection goes to one of these: a second answer of the name service changes nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies

import anyio
import httpx2

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Lookup = Callable[[str, int], Awaitable[Sequence[Address]]]

LOOPBACK: Final = 0
PRIVATE: Final = 1
PUBLIC: Final = 2
RESOLVE_TIMEOUT_S: Final = 10.0
_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""Networks without IPv4 reach it by addresses that end in one of IPv4."""


async def resolve(host: str, port: int) -> list[Address]:
    """All addresses of a name, in the order to try them. Raises httpx2.ConnectError."""
    try:
        with anyio.fail_after(RESOLVE_TIMEOUT_S):
            found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError) as error:
        raise httpx2.ConnectError(f"{host} cannot be resolved: {error}") from error
    return list(dict.fromkeys(ipaddress.ip_address(str(sockaddr[0]).partition("%")[0]) for *_, sockaddr in found))


def nearness(address: Address) -> int:
    """How near an address is: this machine, its networks, or the rest of the world."""
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped or address.sixtofour
        if address in _TRANSLATED:
            mapped = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if mapped is not None:
            return nearness(mapped)
    if address.is_loopback or address.is_unspecified:
        return LOOPBACK
    if isinstance(address, ipaddress.IPv6Address) and address not in _UNICAST:
        return PRIVATE  # also older ways to write an address of IPv4, which no honest name has
    return PUBLIC if address.is_global and not address.is_multicast else PRIVATE


class Reach(httpx2.AsyncBaseTransport):
    """Connects only as near as the server at `url` is: from a public one neither to private networks nor to itself."""

    def __init__(self, url: str, inner: httpx2.AsyncBaseTransport | None = None, lookup: Lookup = resolve) -> None:
        self._own = urlsplit(url).hostname or ""
        self._lookup = lookup
        self._inner = inner or httpx2.AsyncHTTPTransport()
        self._nearest: int | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises httpx2.ConnectError for what must not be reached, in words."""
        host, port = request.url.host, request.url.port or (443 if request.url.scheme == "https" else 80)
        if self._nearest is None:
            # Looked at once: an own name that later points nearer is refused like any other.
            self._nearest = min(map(nearness, await self._lookup(self._own, port)), default=PUBLIC)
        addresses = await self._lookup(host, port)
        for near in map(nearness, addresses):
            if near < self._nearest:
                where = "this machine" if near == LOOPBACK else "a private network"
                raise httpx2.ConnectError(f"{host} is an address of {where}, and {self._own} is not: refused")
            if request.url.scheme != "https" and near != LOOPBACK:
                raise httpx2.ConnectError(f"{host} is to be reached without https: refused")
        return await self._send(request, host, addresses)

    async def _send(self, request: httpx2.Request, host: str, addresses: Sequence[Address]) -> httpx2.Response:
        extensions = {**request.extensions, "sni_hostname": host}
        for last, address in enumerate(addresses, 1 - len(addresses)):
            pinned = httpx2.Request(
                request.method,
                request.url.copy_with(host=str(address)),
                headers=request.headers,
                stream=request.stream,
                extensions=extensions,
            )
            try:
                return await self._inner.handle_async_request(pinned)
            except httpx2.ConnectError:
                if not last:
                    raise
        raise httpx2.ConnectError(f"{host} has no address")

    async def aclose(self) -> None:
        await self._inner.aclose()


def reaching(url: str) -> Reach | None:
    """The transport for what the server at `url` names; None where a proxy resolves names and decides by itself."""
    return None if getproxies().keys() & {"http", "https", "all"} else Reach(url)

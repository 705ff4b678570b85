"""For whose sake a request is sent: how an upstream's questions find the host whose call caused them.

The caller travels in a context variable, so that what lies between a host's request and the upstream's connection
needs to know nothing of it. A connection notes the caller of each request it sends, and hands it out with whatever
the upstream asks while that request is under way.
"""

from __future__ import annotations

from collections.abc import Hashable
from contextvars import ContextVar
from typing import Protocol

from toolrouter.types import JsonObject


class Caller(Protocol):
    """One request of a host, as far as an upstream may turn to it."""

    @property
    def host(self) -> Hashable:
        """The same for all requests of one host; where only requests are known, another one for each."""
        ...

    @property
    def lasting(self) -> bool:
        """Whether the host is known beyond this request."""
        ...

    @property
    def capabilities(self) -> JsonObject:
        """What it can do, in the form in which a client declares it."""
        ...

    @property
    def modern(self) -> bool:
        """Whether the host speaks 2026-07-28, which asks by results rather than by requests."""
        ...

    def check(self, method: str, params: JsonObject) -> None:
        """Raises RpcError when the host cannot serve that question."""
        ...

    async def ask(self, method: str, params: JsonObject) -> JsonObject:
        """Puts a question of the upstream to the host. Raises RpcError."""
        ...

    async def tell(self, method: str, params: JsonObject) -> None:
        """Passes on a notification that belongs to this request."""
        ...


CALLER: ContextVar[Caller | None] = ContextVar("toolrouter_caller", default=None)
"""The request of a host that is being handled; None for what toolrouter does by itself."""


class Sourced(dict[str, object]):
    """A message that belongs to a request going the other way: transports with a stream for each request tell."""

    __slots__ = ("request_id",)

    def __init__(self, message: JsonObject, request_id: str | int) -> None:
        super().__init__(message)
        self.request_id = request_id

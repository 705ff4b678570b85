"""What hosts want of a server for longer than one call: word of changes, of single resources too, and a log level.

It outlives runs of the server. Each new connection is told all of it, in the words of its era: handshake servers get
`resources/subscribe` and `logging/setLevel`, 2026-07-28 servers one `subscriptions/listen` that is asked anew whenever
the wishes change (their log level travels with each request).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

import anyio

from toolrouter.errors import RpcError, UpstreamError
from toolrouter.types import JsonObject
from toolrouter.upstream.connection import Connection

logger = logging.getLogger(__name__)

LISTEN_TIMEOUT_S = 86_400.0
LISTEN_AGAIN_S = 5.0
LONGEST_LISTEN_PAUSE_S = 300.0
WISH_TIMEOUT_S = 30.0
HEARD_S = 2.0
"""How long a 2026-07-28 server may take to confirm that it sends notices from now on."""
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
_LISTS = {"tools": "toolsListChanged", "prompts": "promptsListChanged", "resources": "resourcesListChanged"}


class Standing:
    """The standing wishes for one server."""

    def __init__(self) -> None:
        self.level = ""
        """The lowest level of log messages that any host wants; empty for none."""
        self._watched: Counter[str] = Counter()
        self._changed = anyio.Event()
        self._listening = False
        self._heard = anyio.Event()
        self._heard.set()

    @property
    def watched(self) -> list[str]:
        """Resources whose updates somebody wants to hear of."""
        return sorted(self._watched)

    async def watch(self, uri: str, connection: Connection) -> None:
        """One more wants updates of a resource. Raises RpcError when the server refuses the first one."""
        if not self._watched[uri] and not connection.modern:
            await connection.request("resources/subscribe", {"uri": uri}, timeout_s=WISH_TIMEOUT_S)
        self._watched[uri] += 1
        if self._watched[uri] == 1:
            self._wake()
            await self.wait_heard()

    async def unwatch(self, uri: str, connection: Connection | None) -> None:
        """One less does. Nobody watching any more, the server is told if it runs."""
        if not self._watched[uri]:
            del self._watched[uri]
            return
        self._watched[uri] -= 1
        if self._watched[uri]:
            return
        del self._watched[uri]
        self._wake()
        if connection is not None and not connection.modern:
            await _wish(connection, "resources/unsubscribe", {"uri": uri})

    async def set_level(self, level: str, connection: Connection | None) -> None:
        self.level = level
        if connection is not None:
            await self._tell_level(connection)

    async def renew(self, connection: Connection) -> None:
        """Tells a new handshake connection everything."""
        if connection.modern:
            return
        await self._tell_level(connection)
        for uri in self.watched:
            await _wish(connection, "resources/subscribe", {"uri": uri})

    def acknowledged(self) -> None:
        """The server said that it sends notices from now on."""
        self._heard.set()

    async def wait_heard(self) -> None:
        """Until no notice that is wanted can be missed any more, for a bounded time."""
        with anyio.move_on_after(HEARD_S):
            await self._heard.wait()

    async def listen(self, connection: Connection, on_gap: Callable[[], None]) -> None:
        """Keeps the stream of notices of a 2026-07-28 server open. `on_gap`: some may have been missed."""
        self._listening = connection.modern
        self._expect()
        try:
            await self._keep_listening(connection, on_gap)
        finally:
            self._listening = False
            self._heard.set()

    async def _keep_listening(self, connection: Connection, on_gap: Callable[[], None]) -> None:
        pause_s = LISTEN_AGAIN_S
        while connection.modern and not connection.broken:
            changed = self._changed = anyio.Event()
            wanted = self._wanted(connection)
            if not wanted:
                self._heard.set()
                await changed.wait()
                continue
            opened = anyio.current_time()
            if not await self._listen_once(connection, wanted, changed):
                return
            if changed.is_set():
                continue
            pause_s = LISTEN_AGAIN_S if anyio.current_time() - opened > pause_s else pause_s * 2
            await anyio.sleep(min(pause_s, LONGEST_LISTEN_PAUSE_S))
            on_gap()  # notices of the meantime are not repeated

    async def _listen_once(self, connection: Connection, wanted: JsonObject, changed: anyio.Event) -> bool:
        """False when the server refuses to send any notices."""
        alias, refused = connection.server.alias, False

        async def ask() -> None:
            nonlocal refused
            try:
                await connection.request("subscriptions/listen", {"notifications": wanted}, timeout_s=LISTEN_TIMEOUT_S)
            except RpcError as error:
                logger.info("%s: no change notices: %s", alias, error)
                refused = True
            except UpstreamError:
                logger.debug("%s: the stream of change notices broke off", alias)
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await changed.wait()
            tasks.cancel_scope.cancel()
        return not refused

    def _wanted(self, connection: Connection) -> JsonObject:
        capabilities = connection.server.capabilities
        wanted: JsonObject = {
            key: True
            for name, key in _LISTS.items()
            if isinstance(found := capabilities.get(name), dict) and found.get("listChanged") is True
        }
        if self._watched:
            wanted["resourceSubscriptions"] = self.watched
        return wanted

    async def _tell_level(self, connection: Connection) -> None:
        if self.level and not connection.modern and "logging" in connection.server.capabilities:
            await _wish(connection, "logging/setLevel", {"level": self.level})

    def _wake(self) -> None:
        self._expect()
        self._changed.set()

    def _expect(self) -> None:
        """Whoever waits to be heard waits for an acknowledgement from now on."""
        if self._listening and self._heard.is_set():
            self._heard = anyio.Event()


async def _wish(connection: Connection, method: str, params: JsonObject) -> None:
    try:
        await connection.request(method, params, timeout_s=WISH_TIMEOUT_S)
    except (RpcError, UpstreamError) as error:
        logger.info("%s refused %s: %s", connection.server.alias, method, error)

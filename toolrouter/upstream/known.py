"""What is known of one upstream beyond its runs: what it said of itself, how it is started, how it is doing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from toolrouter.config import Limits
from toolrouter.types import Server, ServerState
from toolrouter.upstream.lister import fresh_s
from toolrouter.upstream.run import UpstreamStatus

logger = logging.getLogger(__name__)


class Known:
    """The state of one upstream, and the only place that tells others of it."""

    def __init__(
        self, alias: str, launch_hash: str, on_state: Callable[[str, ServerState, str], None], *, disabled: bool
    ) -> None:
        self.server = Server(alias)
        self.launch_hash = launch_hash
        """Of the way it would be started now."""
        self.era_hint = ""
        """The protocol version it is likely to speak; empty when nothing tells."""
        self._alias = alias
        self._on_state = on_state
        self._status = UpstreamStatus(ServerState.DISABLED if disabled else ServerState.NEW, since=time.time())

    def remember(self, server: Server) -> None:
        """Takes over what an earlier process learnt."""
        self.server = server
        if server.launch_hash == self.launch_hash:
            self.era_hint = server.protocol_version
        if server.listed_at and self._status.state is ServerState.NEW:
            self._status = UpstreamStatus(ServerState.SLEEPING, since=time.time())

    def forget_launch(self) -> None:
        """Started once more, it may offer other things: its definitions are due."""
        self.server = replace(self.server, launch_hash="")

    def is_due(self, now: float, limits: Limits) -> bool:
        """Whether its definitions should be fetched (again)."""
        known = self.server
        if not known.listed_at or known.launch_hash != self.launch_hash:
            return True
        return now - known.listed_at > fresh_s(known.ttl_s, limits)

    @property
    def idle(self) -> ServerState:
        """Its state while nothing of it runs and nothing went wrong."""
        return ServerState.SLEEPING if self.server.listed_at else ServerState.NEW

    def status(self, pid: int | None) -> UpstreamStatus:
        """`pid`: of its process, if there is one."""
        return replace(self._status, pid=pid if self._status.state is ServerState.RUNNING else None)

    def note(self, error: str) -> None:
        """Takes down how its last listing went, while it runs."""
        if self._status.state is ServerState.RUNNING and error != self._status.error:
            self.report(ServerState.RUNNING, error)

    def report(self, state: ServerState, error: str = "") -> None:
        self._status = UpstreamStatus(state, error, since=time.time())
        try:
            self._on_state(self._alias, state, error)
        except Exception:  # the observer's fault is not the upstream's
            logger.exception("%s: its new state could not be handled", self._alias)

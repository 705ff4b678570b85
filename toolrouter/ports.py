"""Every seam of toolrouter on one screen. Adapters live beside their subject; fakes live in tests/fakes.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from toolrouter.types import Decision, JsonObject, Server, Tool

if TYPE_CHECKING:  # numpy costs the start of a serving process more than all of toolrouter's own modules
    import numpy as np
    from numpy.typing import NDArray

Vectors: TypeAlias = "NDArray[np.float32]"
"""Row-normalised float32 embeddings, shape (n, dimensions)."""

OnProgress = Callable[[JsonObject], Awaitable[None]]
"""Receives the params of each `notifications/progress` of one request."""


class Link(Protocol):
    """An open JSON-RPC connection to one peer, whatever carries it. Params and results are the JSON that travels."""

    async def request(
        self, method: str, params: JsonObject | None, *, timeout_s: float, on_progress: OnProgress | None = None
    ) -> JsonObject:
        """The raw result. Cancelling the caller tells the peer (`notifications/cancelled`).

        Raises:
            RpcError: the peer answered with an error.
            UpstreamTimeout: no answer within `timeout_s` (a progress notification restarts the clock).
            UpstreamError: the connection broke.
        """
        ...

    async def notify(self, method: str, params: JsonObject | None = None) -> None:
        """Sends a notification; a closed connection drops it."""
        ...


class Embedder(Protocol):
    """Text to unit vectors. Synchronous and CPU-bound: callers keep it off the event loop."""

    @property
    def name(self) -> str:
        """Identifies model *and* preprocessing: vectors under two names are never compared."""
        ...

    @property
    def dimensions(self) -> int: ...

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Embeds tool texts. Raises ModelError."""
        ...

    def embed_queries(self, queries: Sequence[str]) -> Vectors:
        """Embeds queries. Raises ModelError."""
        ...


class VectorIndex(Protocol):
    """Nearest rows by inner product."""

    def search(self, queries: Vectors, k: int) -> tuple[Vectors, NDArray[np.int64]]:
        """Similarities and row numbers, both (queries, min(k, rows)), best first."""
        ...


class LexicalIndex(Protocol):
    """Rows by words."""

    def search(self, query: str, k: int) -> list[tuple[int, float]]:
        """At most k (row, score) pairs, best first; rows without a common word are absent. Any text will do."""
        ...


class Reranker(Protocol):
    """A slower, better second look at a short list."""

    def scores(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        """One score per text, higher is better."""
        ...


class Store(Protocol):
    """State that outlives the process; several processes share it. Raises StoreError."""

    def servers(self) -> Mapping[str, Server]: ...

    def tools(self) -> Sequence[Tool]:
        """Every definition last seen, whatever its status, ordered by id."""
        ...

    def save_listing(self, server: Server, tools: Sequence[Tool], decisions: Sequence[Decision] = ()) -> None:
        """Replaces what is known of one upstream and records the trust mode's decisions on it, all or nothing.

        A decision is left out when one on its hash exists, or when it is for "first use" and any on its name does.
        """
        ...

    def save_server(self, server: Server) -> None: ...

    def forget(self, aliases: Collection[str]) -> None:
        """Drops servers and their definitions. Approvals stay."""
        ...

    def version(self) -> int:
        """Grows with every change of servers, tools or approvals by any process."""
        ...

    def approved_hashes(self, server: str) -> Mapping[str, frozenset[str]]:
        """Tool name to every hash whose latest decision approves it."""
        ...

    def rejected_hashes(self, server: str) -> Mapping[str, frozenset[str]]:
        """Tool name to every hash whose latest decision rejects it."""
        ...

    def approvals_lost(self) -> bool:
        """Whether earlier decisions may be missing, so that no server can count as never seen before."""
        ...

    def decide(
        self, server: str, name: str, definition_hash: str, *, approve: bool, by: str, said: JsonObject | None = None
    ) -> None:
        """Records a decision and gives the definition of that hash its status. Append-only.

        `said` is the definition itself; one that is approved is kept for `definition`.
        """
        ...

    def take_back(self, decisions: Sequence[Decision]) -> None:
        """Records the scanner's decisions, as far as no person has decided about the same hash."""
        ...

    def definition(self, definition_hash: str) -> JsonObject | None:
        """The definition of that hash as it was when it was first approved; None when it never was."""
        ...

    def checked(self, check: str) -> int:
        """Which catalog a check of the whole saw last: what `note_checked` was told under this name, 0 at first."""
        ...

    def note_checked(self, check: str, key: int) -> None: ...

    def decisions(self, server: str | None = None) -> Sequence[Decision]:
        """Every decision ever recorded, oldest first."""
        ...

    def embeddings(self, model: str, keys: Sequence[str]) -> Mapping[str, Vectors]:
        """Stored vectors, shape (dimensions,), of those keys that are known."""
        ...

    def save_embeddings(self, model: str, vectors: Mapping[str, Any]) -> None: ...

    def log_use(self, *events: JsonObject) -> None:
        """Appends usage events (query, shown, called, succeeded). Never raises."""
        ...

    def uses(self, limit: int) -> Sequence[JsonObject]:
        """The latest usage events, newest first."""
        ...

    def close(self) -> None: ...

"""Values that every layer shares. No behaviour beyond reading their own fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NewType

ToolId = NewType("ToolId", str)
"""A tool's qualified name, `alias__tool`: unique in a catalog, stable, at most 48 characters of [A-Za-z0-9_-]."""

JsonObject = dict[str, Any]
"""A JSON object exactly as it came over the wire."""


class Status(StrEnum):
    """What the person (or the policy acting for them) decided about one definition."""

    APPROVED = "approved"
    PENDING = "pending"  # new, waits for a person
    WITHDRAWN = "withdrawn"  # differs from what was approved, waits for a person
    REJECTED = "rejected"  # a person said no
    REFUSED = "refused"  # malformed: cannot be served whoever approves it


class ServerState(StrEnum):
    """Whether an upstream runs, as opposed to whether its tools are known."""

    NEW = "new"  # configured, never reached
    SLEEPING = "sleeping"  # known from the store, no process or connection now
    STARTING = "starting"
    RUNNING = "running"
    FAILED = "failed"  # the last attempt failed; `error` says why
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool definition of one upstream, as the catalog holds it."""

    id: ToolId
    server: str
    """The alias of the upstream: its key in the config."""
    name: str
    """The upstream's own name for it, verbatim."""
    raw: JsonObject = field(repr=False, compare=False)
    """The definition as it arrived. Never edited."""
    hash: str
    """sha256 of the canonical form of `raw` (hex)."""
    tokens: int
    """o200k tokens of the compact JSON {name, description, input_schema}."""
    status: Status = Status.APPROVED
    reason: str = ""
    """Why it is not approved, in our words."""

    @property
    def title(self) -> str:
        annotations = self.raw.get("annotations")
        nested = annotations.get("title") if isinstance(annotations, dict) else None
        found = self.raw.get("title") or nested
        return found if isinstance(found, str) else ""

    @property
    def description(self) -> str:
        found = self.raw.get("description")
        return found if isinstance(found, str) else ""

    @property
    def input_schema(self) -> JsonObject:
        """As it arrived, and `{"type": "object"}` where the server left that out."""
        found = self.raw.get("inputSchema")
        if not isinstance(found, dict):
            return {"type": "object"}
        return found if found.get("type") == "object" else {**found, "type": "object"}

    @property
    def read_only(self) -> bool:
        """Whether the upstream *claims* that the tool changes nothing. A hint, never a permission."""
        annotations = self.raw.get("annotations")
        return isinstance(annotations, dict) and annotations.get("readOnlyHint") is True


@dataclass(frozen=True, slots=True)
class Server:
    """What is known about one upstream, whether it runs or not."""

    alias: str
    title: str = ""
    version: str = ""
    instructions: str = ""
    protocol_version: str = ""
    """The version last negotiated; a date. Empty when the upstream was never reached."""
    capabilities: JsonObject = field(default_factory=dict)
    server_info: JsonObject = field(default_factory=dict)
    launch_hash: str = ""
    """Hash of the launch spec these definitions came from; another one makes them due for a refresh."""
    listed_at: float = 0.0
    """Unix time of the last complete listing, 0 when there was none."""
    ttl_s: float | None = None
    """How long the upstream said its lists stay fresh; None when it did not say."""
    error: str = ""
    """What the last attempt to reach it failed with; empty after a success."""
    offers: Mapping[str, Sequence[JsonObject]] = field(default_factory=dict, repr=False)
    """What it offers beside tools, as it came: lists under `prompts`, `resources` and `resourceTemplates`."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A definition that cannot be served, and why."""

    server: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about one definition, named by its hash. Never altered; the latest one counts."""

    server: str
    name: str
    hash: str
    approved: bool
    by: str
    """Who decided: "first use" or "trust" for the mode acting for the person, "cli" for the person; see `decisions`."""
    at: float
    """Unix time."""
    said: JsonObject | None = field(default=None, repr=False, compare=False)
    """The definition itself, kept under its hash for later comparison; no part of the record."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything one upstream said about itself in one complete listing."""

    server: Server
    tools: Sequence[JsonObject]
    """Normalised enough to be served, otherwise verbatim, in the upstream's order."""
    refused: Sequence[Refusal] = ()

    @property
    def prompts(self) -> Sequence[JsonObject]:
        return self.server.offers.get("prompts", ())

    @property
    def resources(self) -> Sequence[JsonObject]:
        return self.server.offers.get("resources", ())

    @property
    def resource_templates(self) -> Sequence[JsonObject]:
        return self.server.offers.get("resourceTemplates", ())


@dataclass(frozen=True, slots=True)
class Hit:
    """One ranked tool. A higher score is better."""

    id: ToolId
    score: float
    """Estimated probability that this tool serves the query, 0 to 1."""
    parts: Mapping[str, float] = field(default_factory=dict, compare=False)
    """The score of every stage, for `--explain`."""
    also: tuple[ToolId, ...] = ()
    """Tools of other servers with the same definition, for which this one stands."""


@dataclass(frozen=True, slots=True)
class CallResult:
    """The upstream's own answer to a call, untouched."""

    server: str
    tool: str
    result: JsonObject
    elapsed_ms: float


Retriever = Callable[[str, int], list[Hit]]
"""`(query, k) -> hits`, best first, at most k, ties broken by tool id."""

"""Settings as values. Reading files and the environment is `settings_file`'s business; nothing here does I/O."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema


class Exposure(StrEnum):
    """What `tools/list` shows to a host."""

    SEARCH = "search"
    ALL = "all"
    AUTO = "auto"
    DYNAMIC = "dynamic"


class TrustMode(StrEnum):
    """What happens to definitions that no person has looked at."""

    FIRST_USE = "trust-on-first-use"
    REVIEW_NEW = "review-new"
    TRUST = "trust"


class FlowPolicy(StrEnum):
    """What happens when one conversation combines private data, untrusted content and a way out."""

    OFF = "off"
    WARN = "warn"
    DENY = "deny"


class Ask(StrEnum):
    """What a server may ask of the host that called it."""

    ELICITATION = "elicitation"
    SAMPLING = "sampling"
    ROOTS = "roots"


class Transport(StrEnum):
    STDIO = "stdio"
    HTTP = "http"
    SSE = "sse"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class UpstreamSpec(BaseModel):
    """One entry of `mcpServers`, as hosts write it. Keys of other hosts are kept and ignored."""

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)

    command: str | None = Field(None, description="Program to start; speaks MCP on stdin and stdout.")
    args: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict, description="Environment variables of the program.")
    cwd: str | None = Field(None, description="Folder in which the program starts.")
    url: str | None = Field(
        None, validation_alias=AliasChoices("url", "serverUrl", "httpUrl"), description="Address of a remote server."
    )
    headers: dict[str, str] = Field(default_factory=dict, description="HTTP headers of every request to it.")
    type: str | None = Field(None, description="stdio, http (also streamable-http) or sse; guessed when left out.")
    disabled: bool = False
    unusable: SkipJsonSchema[str] = Field("", exclude=True)
    """Why it cannot be started at all (an unset variable), said instead of starting it. Never read from a file."""

    @model_validator(mode="after")
    def _one_way_to_reach_it(self) -> UpstreamSpec:
        if (self.command is None) == (self.url is None):
            raise ValueError("needs either `command` (a program to start) or `url` (a remote server)")
        return self

    @property
    def transport(self) -> Transport:
        if self.command is not None:
            return Transport.STDIO
        return Transport.SSE if self.type == "sse" else Transport.HTTP


class OAuthSettings(_Strict):
    """For servers whose login service does not let programs register themselves."""

    client_id: str = Field("", description="Of a client that was registered by hand.")
    client_secret: str = Field("", repr=False, description="Write ${NAME} or ${keyring:service/name}.")
    client_metadata_url: str = Field("", description="https address of a client-id metadata document of yours.")
    scope: str = Field("", description="Scopes to ask for, instead of those that the server names.")
    redirect_port: int = Field(0, ge=0, lt=2**16, description="Port of the redirect address; any free one if 0.")


class ServerOptions(_Strict):
    """What toolrouter does differently for one upstream; keyed by its alias."""

    allow: tuple[str, ...] = Field(("*",), description="Tool names (globs) that may be seen and called.")
    deny: tuple[str, ...] = Field((), description="Tool names (globs) that may not, whatever `allow` says.")
    allow_asking: tuple[Ask, ...] = Field(
        (),
        description="What it may ask of hosts: `elicitation` (something of the user), `sampling` (words of the model), "
        "`roots` (the folders that are open). Nothing, when left out. A server that may ask is connected once for each "
        "host that can be asked, so that what it learns of one reaches no other: a program is started for each.",
    )
    keep_running: bool = Field(False, description="Do not stop it when idle (it holds state).")
    connect_timeout_s: float | None = Field(None, gt=0)
    call_timeout_s: float | None = Field(None, gt=0)
    oauth: OAuthSettings = OAuthSettings()
    max_in_flight: int | None = Field(None, ge=1, description="Calls it works on at the same time; others wait.")
    own_names: bool = Field(
        False, description="Exposure `all` lists its tools, prompts and resources under their own names, if unique."
    )
    read: tuple[str, ...] = Field((), description="Tool names (globs) that only read, whatever the server says.")
    write: tuple[str, ...] = Field((), description="Tool names (globs) that change something.")
    destructive: tuple[str, ...] = Field((), description="Tool names (globs) that may destroy something.")
    private: tuple[str, ...] | None = Field(
        None,
        description="Names of tools and prompts, URIs of resources (globs) that bring in private data; guessed when "
        "left out. For `flows`.",
    )
    untrusted: tuple[str, ...] | None = Field(
        None, description="The same for what brings in words of strangers; guessed when left out. For `flows`."
    )
    public_sink: tuple[str, ...] | None = Field(
        None, description="Tool names (globs) that can send data to others; guessed when left out. For `flows`."
    )
    pin_ignore: tuple[str, ...] = Field(
        (),
        description="Fields of tool definitions that may differ at every start, such as "
        "`inputSchema.properties.*.default`: left out of the pin and shown as approved.",
    )
    about: str = Field("", description="A line about the server for the model, when it says too little itself.")


class SearchSettings(_Strict):
    retriever: Literal["hybrid", "dense", "lexical"] = "hybrid"
    lean: float = Field(
        0, ge=-1, le=1, description="Of the hybrid retriever: towards words up to 1, towards vectors down to -1."
    )
    k: int = Field(8, ge=1, le=50, description="Most hits per answer.")
    min_score: float = Field(0.01, ge=0, le=1, description="A query whose best hit is less probable is not answered.")
    token_budget: int = Field(1000, ge=100, description="Most o200k tokens of one answer's hits.")


RERANKER_OFF: Final = "off"


class EmbedderSettings(_Strict):
    kind: Literal["builtin", "sentence-transformers", "openai"] = "builtin"
    model: str = Field("", description="Model name, for the kinds that have several.")
    url: str = Field("", description="Base URL of an OpenAI-compatible endpoint, ending in /v1.")
    api_key: str = Field("", repr=False, description="Write ${NAME} to read it from the environment.")
    timeout_s: float = Field(30, gt=0)
    batch_size: int = Field(64, ge=1)
    threads: int = Field(default_factory=lambda: max(1, min(4, os.cpu_count() or 1)), ge=1)


class Limits(_Strict):
    connect_timeout_s: float = Field(90, gt=0, description="First answer of a starting server. First starts are slow.")
    list_timeout_s: float = Field(60, gt=0)
    call_timeout_s: float = Field(300, gt=0, description="One call; a progress notification restarts the clock.")
    max_in_flight: int = Field(256, ge=1, description="Calls one server works on at the same time; others wait.")
    max_waiting: int = Field(20_000, ge=0, description="Calls that may wait for one server; more are refused.")
    max_parked: int = Field(64, ge=0, description="Calls that wait for a 2026-07-28 host to come back with answers.")
    max_host_connections: int = Field(
        16,
        ge=1,
        description="Connections of single hosts to one server with `allow_asking`; the longest unused one gives way.",
    )
    parked_s: float = Field(300, gt=0, description="A call that no host comes back for in that time is given up.")
    stop_timeout_s: float = Field(4, gt=0, description="From closing stdin to killing the process group.")
    parallel_starts: int = Field(default_factory=lambda: max(2, os.cpu_count() or 2), ge=1)
    idle_stop_s: float = Field(600, gt=0, description="A server unused for so long is stopped.")
    refresh_after_s: float = Field(86_400, gt=0, description="Definitions older than this are fetched again.")
    max_message_bytes: int = Field(
        64 * 2**20, ge=2**16, description="Longest message accepted from a server, and most bytes of a list in pages."
    )
    max_tools_per_server: int = Field(5_000, ge=1)
    max_pages: int = Field(500, ge=1)


class ResultSettings(_Strict):
    max_tokens: int = Field(25_000, ge=500, description="A longer text result is kept aside and read in parts.")
    keep_s: float = Field(86_400, gt=0)
    clean: bool = Field(
        True,
        description="Take terminal control, bidi overrides and invisible tag letters out of results of any kind.",
    )


class HttpSettings(_Strict):
    token: str = Field("", repr=False, description="Bearer token asked of HTTP hosts; made and shown when empty.")
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    poll_after_s: float | None = Field(
        None,
        gt=0,
        description="Close the stream of a longer call, so that hosts come back for it (2025-11-25).",
    )


class DaemonSettings(_Strict):
    idle_exit_s: float = Field(15, gt=0, description="The daemon leaves when no host has been connected for so long.")


class RouterSettings(_Strict):
    """The `toolrouter` section of the config."""

    exposure: Exposure = Exposure.SEARCH
    pinned: tuple[str, ...] = Field((), description="Qualified tool names that are always listed.")
    trust: TrustMode = TrustMode.FIRST_USE
    auto_threshold_tokens: int = Field(4_000, ge=0, description="Exposure `auto` lists all tools below this.")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    flows: FlowPolicy = Field(
        FlowPolicy.OFF,
        description="A conversation that holds private data and untrusted content calls a tool that can send them out.",
    )
    notifications: bool = Field(
        True, description="Tell the person on the desktop when something was withdrawn or waits for review."
    )
    audit: bool = Field(True, description="Keep an audit log of calls on this machine, without their arguments.")
    log_use: bool = Field(True, description="Keep queries and calls on this machine, for `tune`. Never sent anywhere.")
    search: SearchSettings = SearchSettings()
    embedder: EmbedderSettings = EmbedderSettings()
    reranker: str = Field(
        RERANKER_OFF,
        min_length=1,
        description="A cross-encoder that reads the leading hits again and orders them: the name or the folder of a "
        "model for sentence-transformers, or `off`.",
    )
    limits: Limits = Limits()
    results: ResultSettings = ResultSettings()
    http: HttpSettings = HttpSettings()
    daemon: DaemonSettings = DaemonSettings()
    servers: dict[str, ServerOptions] = Field(default_factory=dict)


Alias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


_NO_OPTIONS = ServerOptions()


class Settings(BaseModel):
    """The whole config file."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    servers: dict[Alias, UpstreamSpec] = Field(default_factory=dict, alias="mcpServers")
    router: RouterSettings = Field(default_factory=RouterSettings, alias="toolrouter")

    def options(self, alias: str) -> ServerOptions:
        return self.router.servers.get(alias, _NO_OPTIONS)

    def enabled(self) -> dict[str, UpstreamSpec]:
        return {alias: spec for alias, spec in self.servers.items() if not spec.disabled}


def json_schema() -> dict[str, Any]:
    """The published JSON Schema of the config file."""
    return Settings.model_json_schema(by_alias=True)

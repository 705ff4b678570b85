"""Sentences for the model about servers, tools and what went wrong with a call."""

from __future__ import annotations

import re
from collections.abc import Sequence

from toolrouter.catalog.signature import signature
from toolrouter.errors import LoginNeeded, NotFound, UpstreamError, UpstreamTimeout
from toolrouter.server.cleaning import clean_text
from toolrouter.server.results import compact_json
from toolrouter.telemetry.logs import Masking
from toolrouter.types import Server, Tool

ABOUT_CHARS = 60
_LONG_SCHEMA_TOKENS = 2_000
_SENTENCE_END = re.compile(r"[.!?:](?:\s|$)|\n")


def clip(text: str, limit: int) -> str:
    """One line of at most `limit` characters, cut between words where there is one to cut at."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    if len(line) <= limit:
        return line
    head = line[: limit - 1]
    return (head.rsplit(" ", 1)[0] if " " in head[limit // 2 :] else head).rstrip(" ,;:-") + "…"


def first_sentence(text: str) -> str:
    return _SENTENCE_END.split(text.strip(), maxsplit=1)[0]


def about_server(alias: str, server: Server | None, told: str) -> str:
    """What a server is for: as the user says it, else its own title or description.

    Not its instructions: they are written to steer the model, and here they would do so without being asked for.
    """
    if told or server is None:
        return clip(told, ABOUT_CHARS)
    title = server.title if server.title.casefold() != alias.casefold() else ""
    described = server.server_info.get("description")
    return clip(title or first_sentence(described if isinstance(described, str) else ""), ABOUT_CHARS)


def wrong_arguments(tool: Tool, faults: Sequence[str]) -> str:
    """What is wrong, and what would be right: the model can repair the call without another request."""
    lines = [f"{tool.id} was not called. Its arguments do not fit:", *(f"- {fault}" for fault in faults)]
    lines.append(f"Signature: {signature(tool)}")
    if tool.tokens <= _LONG_SCHEMA_TOKENS:
        lines.append(f"Schema: {compact_json(tool.input_schema)}")
    else:
        lines.append(f'Its schema is long; describe_tools(names: ["{tool.id}"]) shows it.')
    return "\n".join(lines)


def refusal_to_write(tool: Tool) -> str:
    return f"{tool.id} is not known to be read-only, so call_read_tool does not run it. Use call_tool."


def upstream_failure(tool: Tool, error: UpstreamError) -> str:
    if isinstance(error, LoginNeeded):
        return f"{tool.id} was not called. {login_hint(tool.server)} Then call again; other servers are not affected."
    if isinstance(error, UpstreamTimeout):
        advice = "It may have acted all the same: check before you repeat the call."
    else:
        advice = "Try once more; if it fails again, tell the user (`toolrouter doctor` finds the cause)."
    cause = said_of(error).removeprefix(f"{tool.server}: ").rstrip(".")
    if f"`toolrouter login {tool.server}" in cause:
        advice = "Ask the user to run that, then call again."
    return f"{tool.id} gave no result. Server {tool.server}: {cause}. {advice} Other servers are not affected."


def said_of(error: UpstreamError) -> str:
    """The error for a model: it may quote what the server printed or answered, its secrets among it."""
    return Masking()(clean_text(str(error))[0])


def login_hint(alias: str) -> str:
    """What the user has to do before a server's tools work."""
    return f"{alias} needs a login: ask the user to run `toolrouter login {alias}`."


def not_found(error: NotFound) -> str:
    """The error with its near names, unless it says them itself."""
    text = str(error)
    near = [name for name in error.near if name not in text]
    return f"{text} Did you mean {' or '.join(near)}?" if near else text

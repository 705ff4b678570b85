"""The host of the demo: starts `toolrouter serve`, speaks MCP to it, searches, and calls what it finds."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio

from toolrouter import __version__
from toolrouter.catalog.tokens import count_tokens, definition_tokens
from toolrouter.cli.call import shown_parts
from toolrouter.cli.demo_connection import connected_router
from toolrouter.cli.demo_servers import Stage
from toolrouter.errors import ToolrouterError
from toolrouter.types import JsonObject
from toolrouter.wire.jsonrpc import Peer

_INDEX_LIMIT_S = 180.0
_ANSWER_LIMIT_S = 30.0
_NAME = re.compile(r"^([A-Za-z0-9_-]+__[A-Za-z0-9_-]+)\(", re.MULTILINE)


@dataclass(slots=True)
class Call:
    name: str
    arguments: JsonObject
    text: str
    is_error: bool
    elapsed_ms: float


@dataclass(slots=True)
class Question:
    text: str
    expected: str
    """The tool that should be found; empty when nothing should."""
    hits: list[str]
    answer: str
    tokens: int
    elapsed_ms: float
    call: Call | None = None


@dataclass(slots=True)
class Tokens:
    """o200k tokens."""

    without: int
    """All definitions of all servers, as a host without a router shows them."""
    router: int
    """The router's own definitions and instructions."""
    answers: int
    """All answers of `search_tools` together."""


@dataclass(slots=True)
class Report:
    servers: int
    tools: int
    index_s: float
    start_ms: float
    tokens: Tokens
    questions: list[Question] = field(default_factory=list)
    elapsed_s: float = 0.0

    @property
    def is_complete(self) -> bool:
        """Whether every expected tool was found, and every call went well."""
        found = all(question.expected in question.hits for question in self.questions if question.expected)
        return found and not any(question.call and question.call.is_error for question in self.questions)


def script(stage: Stage) -> list[tuple[str, str, JsonObject | None]]:
    """What is asked, which tool should be found, and its arguments when that tool runs for real."""
    git: list[tuple[str, str, JsonObject | None]] = [
        ("show the unstaged changes in a git repository",
         "git__git_diff_unstaged", {"repo_path": str(stage.repository)}),
    ]  # fmt: skip
    return [
        ("what time is it in Tokyo when it is 9:00 in London",
         "time__convert_time", {"source_timezone": "Europe/London", "time": "09:00", "target_timezone": "Asia/Tokyo"}),
        *(git if "git" in stage.real else []),
        ("fetch the web page at a URL", "fetch__fetch", {"url": stage.page, "raw": True}),
        ("create an issue on GitHub", "github__create_issue", None),
        ("send a message to a Slack channel", "slack__slack_post_message", None),
        ("write values into the cells of a spreadsheet", "excel__write_range", None),
        ("water the plants on the balcony", "", None),
    ]  # fmt: skip


async def ask(stage: Stage, environment: Mapping[str, str]) -> Report:
    """Runs the whole demo. Raises ToolrouterError when the router does not come up."""
    started = time.monotonic()
    indexed = await _index(stage, environment)
    index_s = time.monotonic() - started
    started = time.monotonic()
    async with connected_router(stage.config, environment) as peer:
        opened = await _request(peer, "initialize", _HELLO)
        await peer.notify("notifications/initialized")
        listed = (await _request(peer, "tools/list", {}))["tools"]
        start_ms = (time.monotonic() - started) * 1000
        questions = [await _ask(peer, *each) for each in script(stage)]
    surface = sum(definition_tokens(tool) for tool in listed) + count_tokens(str(opened.get("instructions", "")))
    tokens = Tokens(
        without=sum(server["tokens"] for server in indexed),
        router=surface,
        answers=sum(question.tokens for question in questions),
    )
    tools = sum(server["tools"] for server in indexed)
    return Report(len(indexed), tools, round(index_s, 2), round(start_ms, 1), tokens, questions)


_HELLO: JsonObject = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "toolrouter-demo", "version": __version__},
}


async def _index(stage: Stage, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    words = (sys.executable, "-m", "toolrouter", "index", "--json", "--config", str(stage.config))
    with anyio.move_on_after(_INDEX_LIMIT_S):
        done = await anyio.run_process(words, env=environment, stderr=None, check=False)
        if done.returncode:
            raise ToolrouterError("The servers could not be indexed; the lines above say why.")
        servers: list[dict[str, Any]] = json.loads(done.stdout)["servers"]
        return servers
    raise ToolrouterError(f"The servers could not be indexed within {_INDEX_LIMIT_S:.0f} s.")


async def _request(peer: Peer, method: str, params: JsonObject) -> JsonObject:
    return await peer.request(method, params, timeout_s=_ANSWER_LIMIT_S)


async def _ask(peer: Peer, text: str, expected: str, arguments: JsonObject | None) -> Question:
    result, elapsed_ms = await _tool(peer, "search_tools", {"query": text})
    answer = "\n".join(shown_parts(result))
    question = Question(text, expected, _NAME.findall(answer), answer, count_tokens(answer), elapsed_ms)
    if arguments is not None and expected in question.hits:
        result, elapsed_ms = await _tool(peer, "call_tool", {"name": expected, "arguments": arguments})
        shown = "\n".join(shown_parts(result))
        question.call = Call(expected, arguments, shown, result.get("isError") is True, elapsed_ms)
    return question


async def _tool(peer: Peer, name: str, arguments: JsonObject) -> tuple[JsonObject, float]:
    started = time.monotonic()
    result = await _request(peer, "tools/call", {"name": name, "arguments": arguments})
    return result, round((time.monotonic() - started) * 1000, 1)

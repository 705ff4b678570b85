"""Clients that were not written here, through the installed `toolrouter serve`: what they get is what the servers say.

`server-everything` knows the handshake era alone; the conformance fixture knows both.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conformance.client import Host
from tests.end_to_end.conftest import BIN, Npm, npm_parts
from tests.parts import Unavailable, python_with
from toolrouter.types import JsonObject

pytestmark = pytest.mark.conformance

HERE = Path(__file__).parent / "clients"
FIXTURE = Path(__file__).parent.parent / "conformance" / "fixture_server.py"
NPM_CLIENTS = (
    "@modelcontextprotocol/inspector@2.12.0",
    "@modelcontextprotocol/sdk@1.32.2",
    "@modelcontextprotocol/client@2.4.0",
    "mcporter@0.12.3",
)
FASTMCP = "fastmcp==4.1.2"
CLIENTS = ("sdk_v1", "sdk_v2", "sdk_v2_modern", "fastmcp", "mcporter", "inspector_legacy", "inspector_modern")
LISTS = {"tools/list": ("tools", "name"), "resources/list": ("resources", "uri"), "prompts/list": ("prompts", "name")}
SAID = ("content", "structuredContent", "isError", "contents", "messages")
"""What of a result must be the same; the rest depends on the era."""
LIMIT_S = 180
Request = tuple[str, JsonObject]

REQUESTS: dict[str, list[Request]] = {
    "everything": [
        ("tools/list", {}),
        ("tools/call", {"name": "get-sum", "arguments": {"a": 2, "b": 40}}),
        ("resources/list", {}),
        ("resources/read", {"uri": "demo://resource/static/document/features.md"}),
        ("prompts/list", {}),
        ("prompts/get", {"name": "args-prompt", "arguments": {"city": "Paris"}}),
    ],
    "fix": [
        ("tools/call", {"name": "test_multiple_content_types", "arguments": {}}),
        ("resources/read", {"uri": "test://static-binary"}),
        ("prompts/get", {"name": "test_prompt_with_arguments", "arguments": {"arg1": "a", "arg2": "b"}}),
    ],
}
MORE: dict[str, list[Request]] = {
    "everything": [
        ("tools/call", {"name": "get-structured-content", "arguments": {"location": "New York"}}),
        ("tools/call", {"name": "get-tiny-image", "arguments": {}}),
    ],
    "fix": [
        ("tools/list", {}),
        ("tools/call", {"name": "test_error_handling", "arguments": {}}),
        ("resources/list", {}),
        ("resources/read", {"uri": "test://template/7/data"}),
        ("prompts/list", {}),
        ("prompts/get", {"name": "test_prompt_with_image", "arguments": {}}),
    ],
}
"""For clients that make all requests over one connection."""


@dataclass(frozen=True)
class Stage:
    """The servers, and toolrouter in front of them in one exposure, with everything indexed."""

    servers: dict[str, list[str]]
    environ: dict[str, str]
    config: Path

    @property
    def router(self) -> list[str]:
        return [str(BIN / "toolrouter"), "serve", "--config", str(self.config)]


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest, npm: Npm, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    folder = tmp_path_factory.mktemp(request.param)
    servers = {
        "everything": [npm.node, npm.script("mcp-server-everything")],
        "fix": [sys.executable, str(FIXTURE)],
    }
    config = folder / "toolrouter.json"
    entries = {alias: {"command": command, "args": args} for alias, (command, *args) in servers.items()}
    config.write_text(json.dumps({"mcpServers": entries, "toolrouter": {"exposure": request.param}}))
    # Between two clients the daemon stays.
    environ = {**os.environ, "TOOLROUTER_HOME": str(folder / "home"), "TOOLROUTER_IDLE_EXIT_S": "20"}
    index = [str(BIN / "toolrouter"), "index", "--config", str(config)]
    subprocess.run(index, env=environ, capture_output=True, check=True, timeout=LIMIT_S)
    return Stage(servers, environ, config)


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Npm:
    """The clients, beside the packages that they import."""
    parts = npm_parts("clients", NPM_CLIENTS)
    folder = tmp_path_factory.mktemp("clients")
    shutil.copytree(HERE, folder, dirs_exist_ok=True)
    (folder / "node_modules").symlink_to(parts.modules)
    return Npm(parts.node, folder / "node_modules")


Speak = Callable[[Sequence[Request], Stage], list[JsonObject]]
"""Makes these requests through the router; returns their results."""


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest, scripts: Npm) -> tuple[str, Speak]:
    name = request.param
    if name.startswith("inspector"):
        return name, inspector(scripts, name.removeprefix("inspector_"))
    if name == "fastmcp":
        try:
            return name, at_once([python_with("fastmcp", [FASTMCP]), str(HERE / "fastmcp_client.py")])
        except Unavailable as error:
            pytest.skip(f"FASTMCP'S CLIENT DOES NOT RUN: {error}")
    return name, at_once([scripts.node, str(scripts.modules.parent / f"{name}.mjs")])


def at_once(command: Sequence[str]) -> Speak:
    """A program that makes all requests over one connection."""

    def speak(requests: Sequence[Request], stage: Stage) -> list[JsonObject]:
        given = json.dumps([{"method": method, "params": params} for method, params in requests])
        found: list[JsonObject] = json.loads(output_of([*command, given, *stage.router], stage))
        return found

    return speak


def inspector(scripts: Npm, era: str) -> Speak:
    """The Inspector's command line, which makes one request in a process."""
    start = [scripts.node, scripts.script("mcp-inspector"), "--cli", "--protocol-era", era, "--format", "json"]

    def options(params: JsonObject, method: str) -> Iterator[str]:
        if method == "tools/call":
            yield from ("--tool-name", params["name"], "--tool-args-json", json.dumps(params["arguments"]))
        elif method == "prompts/get":
            given = [f"{name}={value}" for name, value in params["arguments"].items()]
            yield from ("--prompt-name", params["name"], *(["--prompt-args", *given] if given else []))
        elif method == "resources/read":
            yield from ("--uri", params["uri"])

    def speak(requests: Sequence[Request], stage: Stage) -> list[JsonObject]:
        return [
            json.loads(output_of([*start, "--method", method, *options(params, method), "--", *stage.router], stage))[
                "result"
            ]
            for method, params in requests
        ]

    return speak


def output_of(command: Sequence[str], stage: Stage) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, env=stage.environ)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def said_directly(alias: str, requests: Sequence[Request], stage: Stage) -> list[JsonObject]:
    """What that server answers to a host that takes the JSON as it comes."""
    with subprocess.Popen(stage.servers[alias], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        host = Host(server, modern=False, abilities={})
        host.open("2025-11-25")
        found = [host.ask(method, params) for method, params in requests]
        host.close()
    return found


def qualified(alias: str, request: Request) -> Request:
    """The same request in the names that the router lists."""
    method, params = request
    named = {key: prefix(alias, key) + params[key] for key in ("name", "uri") if key in params}
    return method, {**params, **named}


def prefix(alias: str, key: str) -> str:
    return f"{alias}+" if key == "uri" else f"{alias}__"


def essence(alias: str, method: str, result: JsonObject, *, through: bool) -> object:
    """What must reach a client unchanged, in the server's own names; of a list, what that server has in it."""
    if method in LISTS:
        kind, key = LISTS[method]
        start = prefix(alias, key) if through else ""
        return {each[key].removeprefix(start) for each in result[kind] if each[key].startswith(start)}
    found = {key: result[key] for key in SAID if result.get(key, False) is not False}
    if through and "contents" in found:
        start = prefix(alias, "uri")
        found["contents"] = [{**each, "uri": each["uri"].removeprefix(start)} for each in found["contents"]]
    return found


@pytest.mark.parametrize("stage", ["all"], indirect=True)
def test_a_client_gets_what_the_servers_say(client: tuple[str, Speak], stage: Stage) -> None:
    name, speak = client
    more = {} if name.startswith("inspector") else MORE
    asked = [(alias, each) for alias in REQUESTS for each in [*REQUESTS[alias], *more.get(alias, ())]]
    results = speak([qualified(alias, each) for alias, each in asked], stage)
    assert len(results) == len(asked)
    got, said = {}, {}
    for (alias, (method, params)), result in zip(asked, results, strict=True):
        got[alias, method, str(params)] = essence(alias, method, result, through=True)
    for alias in REQUESTS:
        requests = [each for of, each in asked if of == alias]
        for (method, params), result in zip(requests, said_directly(alias, requests, stage), strict=True):
            said[alias, method, str(params)] = essence(alias, method, result, through=False)
    assert all(said.values())
    assert got == said


@pytest.mark.parametrize("stage", ["search"], indirect=True)
def test_a_client_searches_and_calls(client: tuple[str, Speak], stage: Stage) -> None:
    _, speak = client
    call = {"name": "everything__get-sum", "arguments": {"a": 2, "b": 40}}
    listed, found, called, read, prompt = speak(
        [
            ("tools/list", {}),
            ("tools/call", {"name": "search_tools", "arguments": {"query": "add two numbers"}}),
            ("tools/call", {"name": "call_tool", "arguments": call}),
            ("resources/read", {"uri": "fix+test://static-text"}),
            ("prompts/get", {"name": "everything__simple-prompt", "arguments": {}}),
        ],
        stage,
    )
    assert [tool["name"] for tool in listed["tools"]] == [
        "search_tools",
        "describe_tools",
        "call_tool",
        "call_read_tool",
        "read_result",
    ]
    assert "everything__get-sum" in found["content"][0]["text"]
    assert called["content"] == [{"type": "text", "text": "The sum of 2 and 40 is 42."}]
    assert read["contents"][0]["text"] == "This is the content of the static text resource."
    assert prompt["messages"][0]["content"]["text"] == "This is a simple prompt without arguments."

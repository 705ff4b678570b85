"""A host for the suite's client scenarios: `python client.py URL` does everything there is to do through toolrouter.

The suite plays the server; toolrouter stands between it and this host, which speaks stdio and answers every question.
Standard library only: each scenario starts it anew.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

Json = dict[str, Any]
MODERN = "2026-07-28"
ABILITIES: Json = {"elicitation": {"form": {"applyDefaults": True}}, "sampling": {}, "roots": {}}
TOOLLESS = {"initialize"}
"""Scenarios whose server has no tools."""
LISTED_S = LEFT_S = 60
SAMPLES = {"string": "text", "integer": 5, "number": 3, "boolean": True, "array": [], "object": {}, "null": None}


def main(url: str) -> None:
    version = os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION", "2025-11-25")
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    with tempfile.TemporaryDirectory() as home:
        config = Path(home) / "toolrouter.json"
        options = {
            "exposure": "all",
            "servers": {"scenario": {"own_names": True, "allow_asking": ["elicitation", "roots", "sampling"]}},
        }
        config.write_text(json.dumps({"mcpServers": {"scenario": {"url": url}}, "toolrouter": options}))
        command = [sys.executable, "-m", "toolrouter", "serve", "--no-daemon", "--config", str(config)]
        environ = {**os.environ, "TOOLROUTER_HOME": home}
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ) as router:
            host = Host(router, modern=version == MODERN)
            host.open(version)
            host.do_everything(context.get("toolCalls"))
            host.close()


class Host:
    """One request after the other; what the server asks meanwhile is answered."""

    def __init__(self, router: subprocess.Popen[str], *, modern: bool, abilities: Json = ABILITIES) -> None:
        self.router = router
        self.modern = modern
        self.abilities = abilities
        self.ids = itertools.count(1)

    def open(self, version: str) -> None:
        info = {"name": "conformance", "version": "1"}
        if self.modern:
            self.ask("server/discover", {})
            return
        self.ask("initialize", {"protocolVersion": version, "capabilities": self.abilities, "clientInfo": info})
        self.write({"method": "notifications/initialized"})

    def do_everything(self, calls: list[Json] | None) -> None:
        tools = self.listed()
        given = [{"name": tool["name"], "arguments": example(tool["inputSchema"], tools)} for tool in tools]
        for call in calls or given:
            self.ask("tools/call", call)
        for resource in self.ask("resources/list", {}).get("resources", []):
            self.ask("resources/read", {"uri": resource["uri"]})
        for prompt in self.ask("prompts/list", {}).get("prompts", []):
            arguments = {each["name"]: "text" for each in prompt.get("arguments", [])}
            self.ask("prompts/get", {"name": prompt["name"], "arguments": arguments})

    def listed(self) -> list[Json]:
        """The tools, asked for again while toolrouter has not reached the server yet."""
        deadline = time.monotonic() + (0 if os.environ.get("MCP_CONFORMANCE_SCENARIO") in TOOLLESS else LISTED_S)
        while True:
            tools: list[Json] = self.ask("tools/list", {})["tools"]
            if tools or time.monotonic() > deadline:
                return tools
            time.sleep(0.2)

    def ask(self, method: str, params: Json) -> Json:
        """The result, with everything answered that is asked for; an error in place of one where there is one."""
        more: Json = {}
        while True:
            answer = self.send(method, {**params, **more})
            if "error" in answer:
                sys.stderr.write(f"{method}: {answer['error']}\n")
                return {}
            result: Json = answer["result"]
            if result.get("resultType") != "input_required":
                return result
            asked = result.get("inputRequests", {})
            more = {"inputResponses": {key: reply(each["method"], each["params"]) for key, each in asked.items()}}
            if "requestState" in result:
                more["requestState"] = result["requestState"]

    def send(self, method: str, params: Json) -> Json:
        request_id = next(self.ids)
        prefix = "io.modelcontextprotocol/"
        if self.modern:
            envelope = {prefix + "protocolVersion": MODERN, prefix + "clientCapabilities": self.abilities}
            params = {**params, "_meta": envelope}
        self.write({"id": request_id, "method": method, "params": params})
        assert self.router.stdout is not None
        for line in self.router.stdout:
            message: Json = json.loads(line)
            if "method" in message and "id" in message:
                self.write({"id": message["id"], "result": reply(message["method"], message.get("params", {}))})
            elif message.get("id") == request_id:
                return message
        raise SystemExit(f"toolrouter ended during {method}")

    def write(self, message: Json) -> None:
        assert self.router.stdin is not None
        self.router.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.router.stdin.flush()

    def close(self) -> None:
        assert self.router.stdin is not None
        self.router.stdin.close()
        self.router.wait(LEFT_S)


def reply(method: str, params: Json) -> Json:
    if method == "roots/list":
        return {"roots": [{"uri": "file:///tmp", "name": "tmp"}]}
    if method == "sampling/createMessage":
        return {"role": "assistant", "model": "none", "content": {"type": "text", "text": "Paris"}}
    if method == "elicitation/create":
        fields = params.get("requestedSchema", {}).get("properties", {})
        content = {name: field.get("default", SAMPLES.get(field.get("type"))) for name, field in fields.items()}
        return {"action": "accept", "content": content}
    return {}


def example(schema: Json, tools: list[Json]) -> Json:
    """Arguments that fit a simple schema; a tool that takes one is given the first tool's schema as it came."""
    fields = schema.get("properties", {})
    if "schema" in fields:
        return {"schema": tools[0]["inputSchema"]}
    return {name: SAMPLES.get(field.get("type"), "text") for name, field in fields.items() if isinstance(field, dict)}


if __name__ == "__main__":
    main(sys.argv[1])

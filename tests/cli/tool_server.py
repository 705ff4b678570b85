"""An MCP server on the standard library: lists the tools of a file, and answers calls by the tool's name.

A second argument adds a prompt, a resource and instructions that say it.
"""

import json
import sys
from pathlib import Path

SAYS = sys.argv[2] if len(sys.argv) > 2 else ""
OFFERS = {
    "prompts/list": {"prompts": [{"name": "greet", "description": SAYS}]},
    "resources/list": {"resources": [{"uri": "file:///a", "name": "a", "description": SAYS}]},
    "resources/templates/list": {"resourceTemplates": []},
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def call(name: str, arguments: dict) -> dict:
    if name == "fail":
        return {"content": [{"type": "text", "text": "it went wrong"}], "isError": True}
    if name == "picture":
        return {"content": [{"type": "image", "data": PIXEL, "mimeType": "image/png"}], "_meta": {"odd": [1, None]}}
    return {"content": [{"type": "text", "text": json.dumps(arguments, ensure_ascii=False)}], "unknown": {"kept": True}}


def answer(method: str, params: dict, tools: list) -> dict:
    if method == "initialize":
        info = {"name": "tool-server", "version": "1"}
        offered = {"prompts": {}, "resources": {}} if SAYS else {}
        result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}, **offered}, "serverInfo": info}
        return {"result": {**result, "instructions": SAYS}}
    if SAYS and method in OFFERS:
        return {"result": OFFERS[method]}
    if method == "tools/list":
        return {"result": {"tools": tools}}
    if method == "tools/call":
        return {"result": call(params["name"], params.get("arguments") or {})}
    if method == "ping":
        return {"result": {}}
    return {"error": {"code": -32601, "message": f"Method not found: {method}"}}


for line in sys.stdin:
    message = json.loads(line)
    if "id" in message and "method" in message:
        tools = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
        reply = {"jsonrpc": "2.0", "id": message["id"], **answer(message["method"], message.get("params") or {}, tools)}
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()

"""A recorded MCP server on stdio: says what the real one said, and does nothing.

Run by path with `python -I -S`, so it uses the standard library alone and starts in some 30 ms: a demo starts many.
"""

from __future__ import annotations

import gzip
import json
import sys
from typing import Any

Message = dict[str, Any]


def answer(recorded: Message, method: str, params: Message) -> Message:
    """The `result` or `error` member for one request."""
    match method:
        case "initialize":
            # The recorded version is what the real server chose when it was offered the newest of its time.
            offered = str(params.get("protocolVersion", ""))
            result: Message = {
                "protocolVersion": min(offered, recorded["protocol_version"]) or recorded["protocol_version"],
                "capabilities": {"tools": {}},
                "serverInfo": recorded["server_info"],
            }
            if recorded["instructions"]:
                result["instructions"] = recorded["instructions"]
            return {"result": result}
        case "tools/list":
            return {"result": {"tools": recorded["tools"]}}
        case "tools/call":
            text = (
                f"{recorded['server']} is a recording of {recorded['package']} {recorded['version']}: it does nothing."
            )
            return {"result": {"content": [{"type": "text", "text": text}], "isError": True}}
        case "ping":
            return {"result": {}}
        case _:
            return {"error": {"code": -32601, "message": f"Method not found: {method}"}}


def main() -> None:
    """Answers requests on stdin until it closes."""
    with gzip.open(sys.argv[1], "rt", encoding="utf-8") as file:
        recorded: Message = json.load(file)
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "id" in message and "method" in message:
            reply = {
                "jsonrpc": "2.0",
                "id": message["id"],
                **answer(recorded, message["method"], message.get("params") or {}),
            }
            sys.stdout.buffer.write(json.dumps(reply).encode() + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()

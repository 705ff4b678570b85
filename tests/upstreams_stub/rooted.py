"""A plain-Python MCP server that asks a host once for its folders and remembers them, as real servers do.

Standard library only: `python -I -S rooted.py [FILE]`; where FILE exists, its tool `pid` has another definition.
"""

import json
import os
import sys

CHANGED = bool(sys.argv[1:]) and os.access(sys.argv[1], os.F_OK)
KNOWN = {}
WAITING = {}


def send(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def answer(request_id, value):
    send({"id": request_id, "result": {"content": [{"type": "text", "text": json.dumps(value)}]}})


def ask(request_id, method, params):
    WAITING[f"q{request_id}"] = request_id, method
    send({"id": f"q{request_id}", "method": method, "params": params})


def call(request_id, name):
    if name == "pid":
        answer(request_id, [os.getpid(), KNOWN["declared"]])
    elif name == "ask":
        ask(
            request_id,
            "elicitation/create",
            {"message": "Who?", "requestedSchema": {"type": "object", "properties": {}}},
        )
    elif "roots" in KNOWN:
        answer(request_id, KNOWN["roots"])
    else:
        ask(request_id, "roots/list", {})


def handle(message):
    request_id, method, params = message["id"], message["method"], message.get("params") or {}
    if method == "initialize":
        KNOWN["declared"] = sorted(params["capabilities"])
        info = {"name": "rooted", "version": "1"}
        result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": info}
        send({"id": request_id, "result": result})
    elif method == "tools/list":
        names = {"roots": "Tells the folders", "ask": "Asks", "pid": "Tells more" if CHANGED else "Tells the process"}
        tools = [{"name": name, "description": says, "inputSchema": {"type": "object"}} for name, says in names.items()]
        send({"id": request_id, "result": {"tools": tools}})
    elif method == "tools/call":
        call(request_id, params["name"])
    else:
        send({"id": request_id, "error": {"code": -32601, "message": "Method not found"}})


for line in sys.stdin:
    message = json.loads(line)
    if "method" in message and "id" in message:
        handle(message)
    elif message.get("method") == "notifications/roots/list_changed":
        KNOWN.pop("roots", None)
    elif message.get("id") in WAITING:
        request_id, method = WAITING.pop(message["id"])
        said = message.get("result", message.get("error"))
        if method == "roots/list" and "result" in message:
            said = KNOWN["roots"] = [root["uri"] for root in said["roots"]]
        answer(request_id, said)

"""An MCP server that sings in every field it has. `python -I -S canary.py [die | refuse]`; standard library only.

Every text carries the word CANARY and a number; names carry it too.
"""

import json
import sys

MODE = sys.argv[1] if len(sys.argv) > 1 else ""
COUNT = iter(range(1_000_000))


def sing(prefix=""):
    return f"{prefix}CANARY{next(COUNT)}"


def send(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def schema():
    return {
        "type": "object",
        "title": sing(),
        "$comment": sing(),
        "properties": {
            sing("p"): {
                "type": "string",
                "description": sing(),
                "enum": [sing()],
                "default": sing(),
                "examples": [sing()],
                "pattern": sing(),
                "const": sing(),
            }
        },
        "$defs": {sing("d"): {"description": sing()}},
    }


ICON = {"src": f"https://{sing('h').lower()}.example/CANARY", "mimeType": "CANARY/png"}


def tool(name):
    return {
        "name": name,
        "title": sing(),
        "description": f"Sings a song. {sing()}",
        "inputSchema": schema(),
        "outputSchema": schema(),
        "annotations": {"title": sing(), "readOnlyHint": True},
        "icons": [ICON],
        "_meta": {sing("m"): sing()},
    }


TOOLS = [tool("sing_CANARY"), tool("dance_CANARY")]
PROMPT = {
    "name": sing("prompt"),
    "title": sing(),
    "description": sing(),
    "icons": [ICON],
    "arguments": [{"name": sing("a"), "description": sing()}],
}
RESOURCE = {
    "uri": f"file:///{sing()}",
    "name": sing(),
    "title": sing(),
    "description": sing(),
    "mimeType": sing("t/"),
    "annotations": {"audience": ["user"]},
    "_meta": {"k": sing()},
}
TEMPLATE = {"uriTemplate": f"file:///{sing()}/{{x}}", "name": sing(), "title": sing(), "description": sing()}
INFO = {
    "name": sing(),
    "title": sing(),
    "version": sing(),
    "description": sing(),
    "websiteUrl": "https://CANARY.example",
    "icons": [ICON],
}
LISTS = {
    "tools/list": {"tools": TOOLS},
    "prompts/list": {"prompts": [PROMPT]},
    "resources/list": {"resources": [RESOURCE]},
    "resources/templates/list": {"resourceTemplates": [TEMPLATE]},
}


def answer(message):
    method = message["method"]
    if method == "initialize":
        capabilities = {
            "tools": {"listChanged": True},
            "prompts": {},
            "resources": {},
            "logging": {},
            "completions": {},
            "experimental": {"CANARY": {}},
        }
        return {
            "protocolVersion": "2025-11-25",
            "capabilities": capabilities,
            "serverInfo": INFO,
            "instructions": sing(),
        }
    if method in LISTS:
        send({"method": "notifications/message", "params": {"level": "error", "logger": sing(), "data": sing()}})
        send({"method": "notifications/progress", "params": {"progressToken": 1, "progress": 1, "message": sing()}})
        ask = {"message": sing(), "requestedSchema": schema()}
        send({"id": sing(), "method": "elicitation/create", "params": ask})
        said = [{"role": "user", "content": {"type": "text", "text": sing()}}]
        send({"id": sing(), "method": "sampling/createMessage", "params": {"messages": said, "maxTokens": 1}})
        send({"method": sing("notifications/"), "params": {"text": sing()}})
        if MODE == "refuse":
            raise LookupError
        return LISTS[method]
    if method == "ping":
        return {}
    if method.endswith(("/call", "/get", "/read", "/complete")):
        return {
            "content": [{"type": "text", "text": sing()}],
            "contents": [{"uri": "file:///x", "text": sing()}],
            "messages": [],
            "completion": {"values": [sing()]},
        }
    raise LookupError


sys.stderr.write(f"starting: {sing()}\n")
sys.stderr.flush()
if MODE == "die":
    sys.stdout.write(f"{sing()} is no JSON\n")
    sys.stdout.flush()
    sys.exit(3)
for line in sys.stdin:
    request = json.loads(line)
    if "method" not in request or "id" not in request:
        continue
    try:
        send({"id": request["id"], "result": answer(request)})
    except LookupError:
        send({"id": request["id"], "error": {"code": -32601, "message": sing(), "data": {"why": sing()}}})

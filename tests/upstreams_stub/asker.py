"""A plain-Python MCP server that asks, logs and has prompts and resources; `modern` makes it speak 2026-07-28 alone.

Standard library only: `python -I -S asker.py [modern|both]`; with `both` the first request decides for the process.
"""

import json
import sys

MODERN = "modern" in sys.argv
BOTH = "both" in sys.argv
META = "io.modelcontextprotocol/"
FORM = {"mode": "form", "message": "Who?", "requestedSchema": {"type": "object", "properties": {}}}
PENDING = {}
LISTENER = {}
CAPABILITIES = {
    "tools": {},
    "prompts": {"listChanged": True},
    "resources": {"subscribe": True, "listChanged": True},
    "completions": {},
    "logging": {},
}
LEVEL = {}


def send(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def answer(request_id, result):
    send({"id": request_id, "result": {"resultType": "complete", **result} if MODERN else result})


def text(value):
    return {"content": [{"type": "text", "text": value}]}


def touch():
    params = {"uri": "note://a"}
    if LISTENER:
        params["_meta"] = {META + "subscriptionId": LISTENER["id"]}
    send({"method": "notifications/resources/updated", "params": params})


def call(request_id, params):
    name, arguments, meta = params["name"], params.get("arguments") or {}, params.get("_meta") or {}
    if name == "ask":
        method = arguments.get("method", "elicitation/create")
        if not MODERN:
            PENDING["q" + str(request_id)] = request_id
            return send({"id": "q" + str(request_id), "method": method, "params": FORM})
        if "inputResponses" not in params:
            asked = {"who": {"method": method, "params": FORM}}
            result = {"resultType": "input_required", "inputRequests": asked, "requestState": "s1"}
            return send({"id": request_id, "result": result})
        return answer(request_id, text(json.dumps([params["inputResponses"]["who"], params["requestState"]])))
    if name == "log":
        for level in ("debug", "error"):
            send({"method": "notifications/message", "params": {"level": level, "data": level + " words"}})
        return answer(request_id, text(json.dumps([LEVEL.get("level"), meta.get(META + "logLevel")])))
    if name == "touch":
        touch()
        return answer(request_id, text("touched"))
    if name == "declared":
        return answer(request_id, text(json.dumps(meta.get(META + "clientCapabilities", LEVEL.get("declared")))))
    return answer(request_id, {"content": [{"type": "resource_link", "uri": "note://linked", "name": "linked"}]})


def handle(request_id, method, params):
    global MODERN, BOTH
    if BOTH:
        MODERN, BOTH = method != "initialize", False
    if method == "server/discover" and MODERN:
        return answer(request_id, {"supportedVersions": ["2026-07-28"], "capabilities": CAPABILITIES})
    if method == "initialize" and not MODERN:
        LEVEL["declared"] = params.get("capabilities")
        info = {"name": "asker", "version": "1"}
        return answer(request_id, {"protocolVersion": "2025-11-25", "capabilities": CAPABILITIES, "serverInfo": info})
    if method == "tools/list":
        names = ("ask", "log", "touch", "link", "declared")
        return answer(request_id, {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in names]})
    if method == "tools/call":
        return call(request_id, params)
    if method == "prompts/list":
        return answer(request_id, {"prompts": [{"name": "greet", "x-own": 1}]})
    if method == "prompts/get":
        message = {"role": "user", "content": {"type": "text", "text": params["name"]}}
        return answer(request_id, {"messages": [message], "x-own": None})
    if method == "resources/list":
        return answer(request_id, {"resources": [{"uri": "note://a", "name": "a"}]})
    if method == "resources/templates/list":
        return answer(request_id, {"resourceTemplates": [{"uriTemplate": "note://by/{id}", "name": "by"}]})
    if method == "resources/read":
        return answer(request_id, {"contents": [{"uri": params["uri"], "text": "read " + params["uri"]}]})
    if method == "completion/complete":
        return answer(request_id, {"completion": {"values": [json.dumps(params["ref"])]}})
    if method == "logging/setLevel":
        LEVEL["level"] = params["level"]
        return answer(request_id, {})
    if method in ("resources/subscribe", "resources/unsubscribe") and not MODERN:
        return answer(request_id, {})
    if method == "subscriptions/listen":
        LISTENER["id"] = request_id
        meta = {META + "subscriptionId": request_id}
        params = {"notifications": params["notifications"], "_meta": meta}
        return send({"method": "notifications/subscriptions/acknowledged", "params": params})
    return send({"id": request_id, "error": {"code": -32601, "message": "Method not found"}})


for line in sys.stdin:
    message = json.loads(line)
    if "method" in message and "id" in message:
        handle(message["id"], message["method"], message.get("params") or {})
    elif message.get("method") == "notifications/cancelled" and message["params"]["requestId"] in PENDING.values():
        touch()
    elif "id" in message and message["id"] in PENDING:
        answer(PENDING.pop(message["id"]), text(json.dumps(message.get("result", message.get("error")))))

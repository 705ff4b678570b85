"""A plain-Python MCP server over stdio whose faults are chosen by words on its command line (`word` or `word=value`).

Standard library only, so that it is up in some 20 ms: `python -I -S stub.py die-on-discover noise`.
"""

import json
import os
import signal
import subprocess
import sys
import time

FAULTS = dict(word.partition("=")[::2] for word in sys.argv[1:])
MODERN = "2026-07-28"
META = "io.modelcontextprotocol/"
OUT = sys.stdout.buffer


def emit(data):
    OUT.write(data)
    OUT.flush()


def send(message):
    end = b"\r\n" if "noise" in FAULTS else b"\n"
    emit(json.dumps({"jsonrpc": "2.0", **message}).encode() + end)


def answer(request, result):
    if "modern" in FAULTS:
        result = {"resultType": "complete", **result}
    send({"id": request["id"], "result": result})


def refuse(request, code, message, data=None):
    send({"id": request["id"], "error": {"code": code, "message": message, **({"data": data} if data else {})}})


def tool(name, **more):
    return {"name": name, "description": f"Does {name}", "inputSchema": {"type": "object"}, **more}


def malformed():
    deep = {}
    for _ in range(200):
        deep = {"properties": {"a": deep}}
    return [
        tool("good", **{"x-vendor": {"kept": True}}),
        {"description": "no name"},
        {"name": 7, "inputSchema": {}},
        {"name": "", "inputSchema": {}},
        "not an object",
        tool("good", description="an impostor"),
        {"name": "no_schema", "description": "schema left out"},
        {"name": "no_type", "inputSchema": {"properties": {"a": {"type": "string"}}}},
        {"name": "array_schema", "inputSchema": {"type": "array"}},
        {"name": "string_schema", "inputSchema": "none"},
        {"name": "deep", "inputSchema": {"type": "object", **deep}},
        {"name": "huge", "description": "x" * 3_000_000, "inputSchema": {"type": "object"}},
        {"name": "numeric_description", "description": 5, "inputSchema": {"type": "object"}},
        {
            "name": "bad_header",
            "inputSchema": {"type": "object", "properties": {"a": {"type": "number", "x-mcp-header": "A"}}},
        },
        tool("last"),
    ]


def tools():
    if "malformed" in FAULTS:
        return malformed()
    found = [tool("echo"), tool("pid"), tool("die"), tool("slow"), tool("big"), tool("count")]
    if "changes" in FAULTS:
        found.append(tool("clock", description=f"Started at {time.time_ns()}"))
    return found


def list_tools(request):
    cursor = (request.get("params") or {}).get("cursor")
    if "reject-list" in FAULTS:
        refuse(request, -32603, "fetch failed: a remote feature is away")
    elif "endless" in FAULTS:
        page = int(cursor or 0)
        answer(request, {"tools": [tool(f"t{page}")], "nextCursor": str(page + 1)})
    elif os.access(FAULTS.get("heavy-while", ""), os.F_OK):
        page = int(cursor or 0)
        answer(request, {"tools": [tool(f"t{page}", description="x" * 30_000)], "nextCursor": str(page + 1)})
    elif "same-cursor" in FAULTS:
        answer(request, {"tools": [tool("echo" if cursor is None else "second")], "nextCursor": "again"})
    elif "pages" in FAULTS:
        found, page = tools(), int(cursor or 0)
        more = {"nextCursor": str(page + 1)} if page + 1 < len(found) else {"nextCursor": None}
        answer(request, {"tools": [found[page]], **more})
    else:
        ttl = {"ttlMs": int(FAULTS["ttl"]), "cacheScope": "public"} if "ttl" in FAULTS else {}
        answer(request, {"tools": tools(), "nextCursor": None, **ttl})


def call(request):
    params = request.get("params") or {}
    name, arguments = params.get("name"), params.get("arguments") or {}
    if name == "die":
        sys.stderr.write("fatal: the disk is on fire\n")
        sys.stderr.flush()
        os._exit(9)
    if name == "slow":
        token = (params.get("_meta") or {}).get("progressToken")
        for step in range(int(arguments.get("steps", 3))):
            time.sleep(arguments.get("each_s", 0.05))
            if token is not None:
                progress = {"progressToken": token, "progress": step + 1, "x-extra": "kept"}
                send({"method": "notifications/progress", "params": progress})
    text = {"pid": str(os.getpid()), "big": "x" * int(arguments.get("size", 0)), "count": str(COUNTS["call"])}
    content = [{"type": "text", "text": text.get(name, json.dumps(params)), "x-unknown": 1}]
    answer(request, {"content": content, "x-top": {"kept": True}})


COUNTS = {"call": 0}


def initialize(request):
    if "modern" in FAULTS:
        return refuse(request, -32022, "Unsupported protocol version", {"supported": [MODERN]})
    if "no-initialize" in FAULTS:
        return None
    capabilities = {"tools": {"listChanged": True}}
    if "prompts" in FAULTS:
        capabilities |= {"prompts": {}, "resources": {}}
    info = {"name": "stub", "title": "The stub", "version": "1.2.3"}
    version = FAULTS.get("version", "2025-11-25")
    return answer(
        request,
        {"protocolVersion": version, "capabilities": capabilities, "serverInfo": info, "instructions": "Be kind."},
    )


def discover(request):
    if "die-on-discover" in FAULTS:
        sys.stderr.write("ValidationError: unknown request\n")
        sys.exit(1)
    if "die-after-discover" in FAULTS:
        FAULTS["die-on-next"] = ""
    elif "ignore-unknown" in FAULTS:
        pass
    elif "modern" in FAULTS:
        capabilities = {"tools": {"listChanged": True}}
        meta = {META + "serverInfo": {"name": "stub", "version": "9"}}
        answer(request, {"supportedVersions": [MODERN], "capabilities": capabilities, "_meta": meta, "ttlMs": 60_000})
    else:
        refuse(request, -32601, "Method not found")


LISTENER = {}


def handle(message):
    method = message.get("method")
    if method == "tools/call":
        COUNTS["call"] += 1
    if "id" not in message:
        if method == "notifications/initialized" and "ask" in FAULTS:
            send({"id": "q1", "method": "ping"})
            send({"id": "q2", "method": "roots/list"})
            send({"id": "q3", "method": "log", "params": {"level": "info"}})
        return None
    handlers = {"initialize": initialize, "server/discover": discover, "tools/list": list_tools, "tools/call": call}
    if method in handlers:
        return handlers[method](message)
    if method == "stub/change":
        answer(message, {})
        return changed(int(message["params"]["times"]))
    if method == "stub/answers":
        FAULTS["asker"] = message
        return tell_answers()
    if method == "subscriptions/listen" and "modern" in FAULTS:
        LISTENER["id"] = message["id"]
        stamp = {"_meta": {META + "subscriptionId": message["id"]}, "notifications": {"toolsListChanged": True}}
        return send({"method": "notifications/subscriptions/acknowledged", "params": stamp})
    if method == "prompts/list" and "prompts" in FAULTS:
        return answer(message, {"prompts": [{"name": "greet"}]})
    if method == "resources/list" and "prompts" in FAULTS:
        return refuse(message, -32603, "resources are away")
    if "ignore-unknown" in FAULTS:
        return None
    return refuse(message, -32601, "Method not found")


ANSWERS = []


def tell_answers():
    if len(ANSWERS) == 3 and "asker" in FAULTS:
        answer(FAULTS["asker"], {"answers": ANSWERS})


def changed(times):
    params = {"_meta": {META + "subscriptionId": LISTENER["id"]}} if LISTENER else {}
    for _ in range(times):
        send({"method": "notifications/tools/list_changed", "params": params})


def main():
    if "exit" in FAULTS:
        sys.stderr.write("Error: API_TOKEN is not set\n")
        sys.exit(3)
    if "hang" in FAULTS:
        time.sleep(3600)
    if "sleep" in FAULTS:
        time.sleep(float(FAULTS["sleep"]))
    if "stubborn" in FAULTS:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "grandchild" in FAULTS:
        code = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(3600)"
        child = subprocess.Popen([sys.executable, "-I", "-S", "-c", code])
        with open(FAULTS["grandchild"], "w") as file:  # noqa: PTH123
            file.write(f"{os.getpid()} {child.pid}")
    if "noise" in FAULTS:
        emit(b'\xef\xbb\xbfNo X display available\n\n{"level":"info","id":1}\n\xff\xfe\x00 garbage\n[1, 2]\n')
    for line in sys.stdin.buffer:
        if "die-on-next" in FAULTS:
            sys.exit(1)
        message = json.loads(line)
        if "method" in message:
            handle(message)
        else:
            ANSWERS.append(message)
            tell_answers()
    if "stubborn" in FAULTS:
        time.sleep(3600)


main()

"""A host as a process of its own: starts a server, calls one tool, says so, waits: `python host.py TOOL COMMAND …`."""

import json
import subprocess
import sys

server = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def ask(number, method, params):
    server.stdin.write(
        json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode() + b"\n"
    )
    server.stdin.flush()
    while json.loads(server.stdout.readline()).get("id") != number:
        pass


client = {"name": "benchmark", "version": "1"}
ask(1, "initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client})
ask(2, "tools/call", {"name": "call_tool", "arguments": {"name": sys.argv[1], "arguments": {"text": "x"}}})
print(server.pid, flush=True)
server.wait()

"""An MCP server without any library: one tool that echoes. What is measured through it is not its own speed.

On stdio, or with `--http PORT` over Streamable HTTP, where it keeps no sessions and answers with JSON.
"""

import json
import sys

TOOL = {
    "name": "echo",
    "description": "Says what it was told.",
    "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    "annotations": {"readOnlyHint": True},
}


def answer(method, params):
    if method == "initialize":
        return {
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "echo", "version": "1"},
        }
    if method == "tools/list":
        return {"tools": [TOOL]}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": params["arguments"]["text"]}]}
    return {} if method == "ping" else None


def reply(message):
    """The answer as JSON; None for what is not answered."""
    if "id" not in message or "method" not in message:
        return None
    result = answer(message["method"], message.get("params") or {})
    outcome = {"error": {"code": -32601, "message": "unknown"}} if result is None else {"result": result}
    return json.dumps({"jsonrpc": "2.0", "id": message["id"], **outcome})


def on_stdio():
    for line in sys.stdin:
        if (text := reply(json.loads(line))) is not None:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()


async def on_connection(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.split("content-length:", 1)[1].split("\r\n", 1)[0]) if "content-length:" in head else 0
            body = await reader.readexactly(length)
            if not head.startswith("post "):
                writer.write(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
            elif (text := reply(json.loads(body))) is None:
                writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
            else:
                said = text.encode()
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(said)}\r\n\r\n"
                writer.write(head.encode() + said)
            await writer.drain()
    except (EOFError, ConnectionError):
        writer.close()


def over_http(port):
    import asyncio

    async def serve():
        server = await asyncio.start_server(on_connection, "127.0.0.1", port)
        await server.serve_forever()

    asyncio.run(serve())


if sys.argv[1:2] == ["--http"]:
    over_http(int(sys.argv[2]))
else:
    on_stdio()

"""The smallest server on the official SDK: one tool that echoes. `--http PORT` serves Streamable HTTP."""

import sys

from mcp.server.mcpserver import MCPServer

server = MCPServer("trivial")


@server.tool()
def echo(text: str) -> str:
    """Says what it was told."""
    return text


if sys.argv[1:2] == ["--http"]:
    server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
else:
    server.run("stdio")

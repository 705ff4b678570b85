"""JSON-RPC over lines: framing and one symmetrical peer, on plain dictionaries.

Both sides of the router stand on it: `upstream` as the client, `server` as the server. It knows JSON-RPC and the
three MCP notifications that concern every request (progress, cancelled, and who may not be cancelled), nothing else.
"""

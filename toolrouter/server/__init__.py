"""What a host sees: the tools that are listed, the sessions that serve them, and the router behind both.

Above it stands `app`, which wires it up; below it lie retrieval, upstream and the catalog. Sessions speak both protocol
eras as plain JSON objects, so that what an upstream says reaches the host as it came. Only `http` imports the MCP SDK.
"""

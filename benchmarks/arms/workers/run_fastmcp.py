"""FastMCP's BM25SearchTransform over tools that carry their server's name, as a FastMCP proxy names them."""

import asyncio

from fastmcp.server.transforms.search.bm25 import BM25SearchTransform
from fastmcp.tools.base import Tool
from loop import serve


def build(tools, _cache):
    ids = {}
    listed = []
    for number, row in enumerate(tools):
        name = f"{row['server']}_{row['name']}" if row["server"] else row["name"]
        name = name if name not in ids else f"{name}_{number}"
        ids[name] = row["id"]
        listed.append(Tool(name=name, description=row["description"], parameters=row["input_schema"]))
    runner = asyncio.Runner()
    transforms = {}

    def search(query, k):
        transform = transforms.setdefault(k, BM25SearchTransform(max_results=k))
        found = runner.run(transform._search(listed, query))
        return [(ids[tool.name], 1.0 / rank) for rank, tool in enumerate(found, 1)], 0

    return search


serve(build, "fastmcp")

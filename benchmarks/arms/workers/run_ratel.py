"""Ratel's engine with its default method (BM25), registered as its gateway registers the tools of MCP servers."""

import asyncio

from loop import serve
from ratel_ai import Tool, ToolRegistry


def build(tools, _cache):
    registry = ToolRegistry()
    ids = {}
    rows = []
    for number, row in enumerate(tools):
        tool_id = f"{row['server']}__{row['name']}"
        tool_id = tool_id if tool_id not in ids else f"{tool_id}_{number}"
        ids[tool_id] = row["id"]
        rows.append(Tool(tool_id, row["name"], row["description"], row["input_schema"], {"type": "object"}))

    async def register():
        await registry.register(rows)

    asyncio.run(register())
    return lambda query, k: ([(ids[hit.tool_id], hit.score) for hit in registry.search(query, k)], 0)


serve(build, "ratel-ai")

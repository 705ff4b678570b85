"""FastMCP's client: argv = requests, command, *args of a stdio server. See drive.mjs."""

import asyncio
import json
import os
import sys

from fastmcp import Client
from fastmcp.client.transports import StdioTransport

SEND = {
    "tools/list": lambda client, params: client.list_tools_mcp(),
    "tools/call": lambda client, params: client.call_tool_mcp(params["name"], params["arguments"]),
    "resources/list": lambda client, params: client.list_resources_mcp(),
    "resources/read": lambda client, params: client.read_resource_mcp(params["uri"]),
    "prompts/list": lambda client, params: client.list_prompts_mcp(),
    "prompts/get": lambda client, params: client.get_prompt_mcp(params["name"], params["arguments"]),
}


async def main(requests: str, command: str, *args: str) -> None:
    transport = StdioTransport(command, list(args), env=dict(os.environ), keep_alive=False)
    async with Client(transport) as client:
        results = [await SEND[each["method"]](client, each["params"]) for each in json.loads(requests)]
    found = [result.model_dump(mode="json", by_alias=True, exclude_none=True) for result in results]
    sys.stdout.write(json.dumps(found))


asyncio.run(main(*sys.argv[1:]))

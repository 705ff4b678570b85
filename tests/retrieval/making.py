"""Small catalogs to search in."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.fakes_embedding import EmbeddingStore, HashEmbedder
from toolrouter.retrieval.search_index import SearchIndex, build_search_index
from toolrouter.types import Server, Tool, ToolId

CATALOG = (
    ("github", "create_issue", "Open a new issue in a repository", ("owner", "repo", "title", "body")),
    ("github", "list_branches", "List the branches of a repository", ("owner", "repo")),
    ("github", "merge_pull_request", "Merge a pull request", ("owner", "repo", "number")),
    ("gitlab", "create_issue", "Open a new issue in a project", ("project_id", "title")),
    ("slack", "post_message", "Post a message to a channel", ("channel", "text")),
    ("slack", "list_channels", "List the channels of the workspace", ("limit",)),
    ("stripe", "create_refund", "Give money back to a customer", ("payment_intent", "amount")),
    ("stripe", "list_customers", "List the customers", ("email", "limit")),
    ("filesystem", "read_file", "Read the complete contents of a file", ("path",)),
    ("filesystem", "moveFile", "Move or rename a file or folder", ("source", "destination")),
    ("browser", "take_screenshot", "Take a screenshot of the current page", ("full_page",)),
    ("search", "search", "Search the web", ("query",)),
)


def make_tool(server: str, name: str, description: str = "", parameters: Sequence[str] = (), **more: Any) -> Tool:
    schema = {"type": "object", "properties": {parameter: {"type": "string"} for parameter in parameters}}
    raw = {"name": name, "description": description, "inputSchema": schema, **more}
    said = json.dumps(raw, sort_keys=True)
    return Tool(id=ToolId(f"{server}__{name}"), server=server, name=name, raw=raw, hash=said, tokens=10)


TOOLS = tuple(make_tool(*entry) for entry in CATALOG)


def make_index(
    tools: Sequence[Tool] = TOOLS,
    servers: Mapping[str, Server] | None = None,
    *,
    embedder: HashEmbedder | None = None,
    store: EmbeddingStore | None = None,
    previous: SearchIndex | None = None,
    lexical: bool = False,
) -> SearchIndex:
    known = {tool.server: Server(tool.server) for tool in tools} | dict(servers or {})
    used = None if lexical else embedder or HashEmbedder()
    return build_search_index(tools, known, embedder=used, store=store, previous=previous)  # type: ignore[arg-type]

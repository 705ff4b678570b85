"""A program: serves a router over fakes, on stdin and stdout in the exposure that is its argument, or over `http`."""

from __future__ import annotations

import sys

import anyio

from tests.fakes import file_tools, make_world
from toolrouter.ports import OnProgress
from toolrouter.server.stdio import serve_stdio
from toolrouter.types import JsonObject


async def echo(params: JsonObject, on_progress: OnProgress | None) -> JsonObject:
    if on_progress is not None:
        await on_progress({"progress": 1, "total": 1})
    return {"content": [{"type": "text", "text": params["arguments"]["path"]}], "structuredContent": {"ok": True}}


async def chatter(params: JsonObject, on_progress: OnProgress | None) -> JsonObject:
    sys.stdout.write("this line is not for the host\n")
    sys.stdout.flush()
    return {"content": [{"type": "text", "text": repr(sys.stdin.read(1))}]}


async def main() -> None:
    behaviours = {("files", "read_file"): echo, ("files", "list_directory"): chatter}
    if sys.argv[1] == "http":
        from toolrouter.server.http import serve_http

        await serve_http(make_world(file_tools(), behaviours=behaviours).router, "127.0.0.1", 0)
    else:
        await serve_stdio(make_world(file_tools(), behaviours=behaviours, exposure=sys.argv[1]).router)


if __name__ == "__main__":
    anyio.run(main)
    heavy = {"mcp", "faiss", "onnxruntime", "tiktoken", "jsonschema"} & set(sys.modules)
    sys.stderr.write(f"heavy: {sorted(heavy)}\n")

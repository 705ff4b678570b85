"""The installed command in front of real servers, driven by real clients; effects are checked on disk and in git."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from mcp import StdioServerParameters
from mcp.client import Client

from tests.end_to_end.conftest import BIN, Finished, Npm, python_server, search


def text_of(result: object) -> str:
    return "\n".join(block.text for block in result.content if block.type == "text")  # type: ignore[attr-defined]


def serve(config: Path, home: Path) -> StdioServerParameters:
    environment = {**os.environ, "TOOLROUTER_HOME": str(home)}
    return StdioServerParameters(
        command=str(BIN / "toolrouter"), args=["serve", "--config", str(config)], env=environment
    )


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_python_client_finds_and_calls_tools_of_both_eras(
    mode: str, write_config: Callable[..., Path], home: Path, repository: Path
) -> None:
    config = write_config({"git": python_server("mcp-server-git"), "time": python_server("mcp-server-time")})

    async def conversation() -> None:
        with anyio.fail_after(120):
            async with Client(serve(config, home), mode=mode) as client:
                listed = await client.list_tools()
                names = [tool.name for tool in listed.tools]
                assert names[:4] == ["search_tools", "describe_tools", "call_tool", "call_read_tool"]
                assert "git__git_commit" in await search(client, "record the staged changes in the repository")
                described = await client.call_tool("describe_tools", {"names": ["time__convert_time"]})
                assert "source_timezone" in text_of(described)
                converted = await client.call_tool(
                    "call_tool",
                    {
                        "name": "time__convert_time",
                        "arguments": {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"},
                    },
                )
                assert "T21:00:00+09:00" in text_of(converted)
                path = str(repository)
                await client.call_tool(
                    "call_tool", {"name": "git__git_add", "arguments": {"repo_path": path, "files": ["a.txt"]}}
                )
                await client.call_tool(
                    "call_tool", {"name": "git__git_commit", "arguments": {"repo_path": path, "message": "second"}}
                )

    anyio.run(conversation)
    log = subprocess.run(["git", "log", "--format=%s"], cwd=repository, capture_output=True, text=True, check=True)
    assert log.stdout.split() == ["second", "first"]


def test_npm_servers_work_with_effects_on_disk(
    npm: Npm, write_config: Callable[..., Path], home: Path, tmp_path: Path, toolrouter: Callable[..., Finished]
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    memory = tmp_path / "memory.jsonl"
    config = write_config(
        {
            "filesystem": npm.server("mcp-server-filesystem", str(folder)),
            "memory": {**npm.server("mcp-server-memory"), "env": {"MEMORY_FILE_PATH": str(memory)}},
            "everything": npm.server("mcp-server-everything"),
        }
    )
    assert toolrouter("index", "--config", str(config)).code == 0
    states = {row["name"]: row["tools"] for row in toolrouter("list", "--config", str(config), "--json").json()}
    assert states["filesystem"] >= 14
    assert states["memory"] == 9
    note = {"path": str(folder / "note.txt"), "content": "hello"}
    wrote = toolrouter("call", "filesystem__write_file", "--args", json.dumps(note), "--config", str(config), "--json")
    assert wrote.code == 0, wrote.err
    assert (folder / "note.txt").read_text() == "hello"
    entity = {"entities": [{"name": "Ada", "entityType": "person", "observations": ["wrote programs"]}]}
    made = toolrouter(
        "call", "memory__create_entities", "--args", json.dumps(entity), "--config", str(config), "--json"
    )
    assert made.code == 0, made.err
    assert "wrote programs" in memory.read_text()
    picture = toolrouter("call", "everything__get-tiny-image", "--args", "{}", "--config", str(config), "--json").json()
    assert [block["type"] for block in picture["content"]] == ["text", "image", "text"]
    weather = toolrouter(
        "call",
        "everything__get-structured-content",
        "--args",
        '{"location": "New York"}',
        "--config",
        str(config),
        "--json",
    ).json()
    assert weather["structuredContent"] == {"temperature": 33, "conditions": "Cloudy", "humidity": 82}
    outside = toolrouter(
        "call", "filesystem__read_text_file", "--args", '{"path": "/etc/passwd"}', "--config", str(config), "--json"
    )
    assert outside.code == 1
    assert outside.json()["isError"] is True

"""Install links, and the bundle for Claude Desktop."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tests.parts import Unavailable, find_node, node_modules
from toolrouter.hosts.links import bundle, install_links, manifest

MCPB = "@anthropic-ai/mcpb@2.1.2"
WORDS = ["/a b/toolrouter", "serve", "--config", "/ü&=+/c.json"]
LAUNCH = {"command": WORDS[0], "args": WORDS[1:]}
CHECKED_IN = Path(__file__).parent.parent.parent / "configs" / "mcpb" / "manifest.json"


def test_the_links_carry_the_launch_as_each_host_reads_it() -> None:
    links = install_links(WORDS)
    cursor = urlsplit(links["cursor"])
    assert (cursor.scheme, cursor.netloc, cursor.path) == ("cursor", "anysphere.cursor-deeplink", "/mcp/install")
    query = parse_qs(cursor.query)
    assert query["name"] == ["toolrouter"]
    assert json.loads(base64.b64decode(query["config"][0])) == LAUNCH
    start, _, rest = links["vscode"].partition("?")
    assert start == "vscode:mcp/install"
    assert json.loads(unquote(rest)) == {"name": "toolrouter", "type": "stdio", **LAUNCH}


def test_the_manifest_of_the_repository_is_the_one_that_is_bundled() -> None:
    assert json.loads(CHECKED_IN.read_text(encoding="utf-8")) == manifest()


def unpacked(folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(bundle())) as archive:
        archive.extractall(folder)
    return folder


def test_the_bundle_brings_toolrouter_and_asks_no_index_for_it(tmp_path: Path) -> None:
    folder = unpacked(tmp_path / "bundle")
    needed = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    assert any(line.startswith("faiss-cpu") for line in needed)
    assert not any(line.startswith("toolrouter") for line in needed)
    assert (folder / "src" / "toolrouter" / "data" / "model" / "model.onnx").stat().st_size > 1_000_000
    assert bundle() == bundle()


@pytest.mark.conformance
def test_the_bundle_is_valid_by_the_official_tool(tmp_path: Path) -> None:
    try:
        node = find_node()
        tool = node_modules("mcpb", [MCPB], node) / "@anthropic-ai" / "mcpb" / "dist" / "cli" / "cli.js"
    except Unavailable as reason:
        pytest.skip(f"NOT VALIDATED: {reason}")
    folder = unpacked(tmp_path / "bundle")
    for words in (["validate", str(folder / "manifest.json")], ["pack", str(folder), str(tmp_path / "out.mcpb")]):
        done = subprocess.run([node, str(tool), *words], capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_program_in_the_bundle_answers_a_host(tmp_path: Path) -> None:
    folder = unpacked(tmp_path / "bundle")
    config = tmp_path / "c.json"
    config.write_text('{"mcpServers": {}}')
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    lines = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}) + "\n"
    env = {**os.environ, "TOOLROUTER_BUNDLE_CONFIG": str(config), "TOOLROUTER_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, str(folder / "src" / "server.py")],
        input=lines, capture_output=True, text=True, timeout=180, check=False, env=env,
    )  # fmt: skip
    assert json.loads(done.stdout.splitlines()[0])["result"]["serverInfo"]["name"] == "toolrouter"

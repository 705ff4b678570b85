"""Install links, and a bundle that Claude Desktop installs with a double click."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Sequence
from importlib.metadata import requires
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from toolrouter import __version__
from toolrouter.types import JsonObject

_LONG = (
    "toolrouter connects to all your MCP servers, indexes what their tools do, and shows the model only the few that "
    "serve the task at hand. It reads the servers from a config file on this machine; nothing leaves it."
)
_LAUNCHER = '''\
"""Starts the toolrouter of this bundle for the host that installed it."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from toolrouter.__main__ import main

chosen = os.environ.pop("TOOLROUTER_BUNDLE_CONFIG", "")
# A host that has no value for a setting may pass its placeholder on.
named = ["--config", chosen] if chosen and not chosen.startswith("${") else []
sys.argv = ["toolrouter", "serve", *named]
main()
'''


def install_links(words: Sequence[str]) -> dict[str, str]:
    """Links that make a host add toolrouter when they are opened, by the host's id."""
    launch = {"command": words[0], "args": list(words[1:])}
    packed = base64.b64encode(json.dumps(launch).encode()).decode()
    return {
        "cursor": f"cursor://anysphere.cursor-deeplink/mcp/install?name=toolrouter&config={quote(packed, safe='')}",
        "vscode": f"vscode:mcp/install?{quote(json.dumps({'name': 'toolrouter', 'type': 'stdio', **launch}), safe='')}",
    }


def manifest() -> JsonObject:
    """The bundle's manifest: of the kind whose dependencies the host installs with uv."""
    launch = {
        "command": "uv",
        "args": ["run", "--directory", "${__dirname}", "src/server.py"],
        "env": {"TOOLROUTER_BUNDLE_CONFIG": "${user_config.config_path}"},
    }
    return {
        "manifest_version": "0.4",
        "name": "toolrouter",
        "display_name": "toolrouter",
        "version": __version__,
        "description": "One MCP server in place of dozens.",
        "long_description": _LONG,
        "author": {"name": "The toolrouter authors"},
        "license": "Apache-2.0",
        "keywords": ["mcp", "tools", "search", "router"],
        "server": {"type": "uv", "entry_point": "src/server.py", "mcp_config": launch},
        "tools": [
            {"name": "search_tools", "description": "Find tools by what you want done."},
            {"name": "describe_tools", "description": "Full definitions of tools."},
            {"name": "call_tool", "description": "Run a tool by the name search_tools shows."},
            {"name": "call_read_tool", "description": "Like call_tool, for read-only tools alone."},
        ],
        "tools_generated": True,
        "user_config": {
            "config_path": {
                "type": "file",
                "title": "Config file",
                "description": "Your toolrouter.json; left empty, the one in your own config folder is used.",
                "required": False,
            }
        },
        "compatibility": {"platforms": ["darwin", "win32", "linux"], "runtimes": {"python": ">=3.11"}},
    }


def bundle() -> bytes:
    """The bundle as a zip archive, the same bytes each time: toolrouter itself, and the names of what it needs.

    A package of this name that somebody else put into an index is never asked for.
    """
    needed = [line for line in requires("toolrouter") or () if "extra ==" not in line]
    project = (
        f'[project]\nname = "toolrouter-bundle"\nversion = "{__version__}"\nrequires-python = ">=3.11"\n'
        f"dependencies = {json.dumps(needed)}\n"
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        _put(archive, "manifest.json", (json.dumps(manifest(), indent=2) + "\n").encode())
        _put(archive, "pyproject.toml", project.encode())
        _put(archive, "src/server.py", _LAUNCHER.encode())
        own = Path(str(files("toolrouter")))
        for path in sorted(own.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                _put(archive, f"src/toolrouter/{path.relative_to(own).as_posix()}", path.read_bytes())
    return packed.getvalue()


def _put(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from toolrouter.cli.main import run

SERVER = Path(__file__).with_name("tool_server.py")
TEXT_SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
TOOLS: list[dict[str, Any]] = [
    {"name": "echo", "description": "Repeat a text", "inputSchema": TEXT_SCHEMA, "annotations": {"readOnlyHint": True}},
    {"name": "fail", "description": "Always go wrong", "inputSchema": {"type": "object"}},
    {"name": "picture", "description": "Draw a tiny image", "inputSchema": {"type": "object"}},
]


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Shell:
    """Runs commands in this process, on a config and a home of their own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.config = folder / "toolrouter.json"
        self.tools_file = folder / "tools.json"
        self._capsys = capsys
        self.list_tools(TOOLS)
        self.configure({"demo": self.server()})

    def server(self, *says: str) -> dict[str, Any]:
        return {"command": sys.executable, "args": ["-I", "-S", "-B", str(SERVER), str(self.tools_file), *says]}

    def configure(self, servers: dict[str, Any], **settings: Any) -> None:
        document = {"mcpServers": servers, "toolrouter": settings}
        self.config.write_text(json.dumps(document), encoding="utf-8")

    def list_tools(self, tools: list[dict[str, Any]]) -> None:
        self.tools_file.write_text(json.dumps(tools), encoding="utf-8")

    def __call__(self, *words: str, config: Path | None = None) -> Outcome:
        self._capsys.readouterr()
        status = run([words[0], "--config", str(config or self.config), *words[1:]])
        captured = self._capsys.readouterr()
        return Outcome(status, captured.out, captured.err)


@pytest.fixture
def shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, one_model: object
) -> Iterator[Shell]:
    monkeypatch.setenv("TOOLROUTER_HOME", str(tmp_path / "home"))
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield Shell(tmp_path, capsys)
    for handler in [each for each in root.handlers if each not in handlers]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)

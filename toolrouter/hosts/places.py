"""Which hosts there are, where each keeps its servers on each platform, and how it writes them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from toolrouter.types import JsonObject

MACOS, WINDOWS, LINUX = "darwin", "win32", "linux"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The machine as far as it decides where hosts keep their files."""

    platform: str
    home: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def here(cls) -> Surroundings:
        platform = sys.platform if sys.platform in (MACOS, WINDOWS) else LINUX
        return cls(platform, Path.home(), os.environ)

    def folder(self, name: str) -> Path:
        """`home`; or `config`, where applications of this platform keep their settings; or `xdg`, of those from Unix.

        `local` is where Windows keeps what belongs to this machine alone.
        """
        if name == "local":
            return Path(self.environ.get("LOCALAPPDATA") or self.home / "AppData" / "Local")
        xdg = Path(self.environ.get("XDG_CONFIG_HOME") or self.home / ".config")
        if name in ("home", "xdg"):
            return self.home if name == "home" else xdg
        if self.platform == WINDOWS:
            return Path(self.environ.get("APPDATA") or self.home / "AppData" / "Roaming")
        return self.home / "Library" / "Application Support" if self.platform == MACOS else xdg


@dataclass(frozen=True, slots=True)
class Host:
    """One application that calls MCP servers."""

    id: str
    title: str
    place: tuple[str, str]
    """A folder that `Surroundings.folder` knows, and the path of the config file under it."""
    key: str = "mcpServers"
    """What the servers stand under in that file."""
    extra: JsonObject = field(default_factory=dict)
    """What an entry of ours holds besides `command` and `args`."""
    moved_by: tuple[str, str] = ("", "")
    """An environment variable that names another folder for it, and the path of the config file under that."""
    windows_place: tuple[str, str] | None = None
    elsewhere: tuple[str, str, str] | None = None
    """Another place of newer versions: a folder as above, a glob under it that tells that it is in use, and the path
    of the config file under what the glob finds."""
    style: str = ""
    """`opencode`: command and arguments are one list."""

    def config_file(self, around: Surroundings) -> Path:
        variable, path = self.moved_by
        if variable and around.environ.get(variable):
            return Path(around.environ[variable]).expanduser() / path
        base, path = self.windows_place if self.windows_place and around.platform == WINDOWS else self.place
        usual, newer = around.folder(base) / path, self._newer_places(around)
        # What is there is what the application reads; where nothing is yet, it reads the newer one.
        return next((file for file in (*newer, usual) if file.exists()), newer[0] if newer else usual)

    def _newer_places(self, around: Surroundings) -> list[Path]:
        if self.elsewhere is None:
            return []
        base, sign, path = self.elsewhere
        return [found / path for found in sorted(around.folder(base).glob(sign))]

    def is_present(self, around: Surroundings) -> bool:
        """Whether this application seems to be in use: its config, or a folder of its own, exists."""
        file = self.config_file(around)
        own = file.parent if file.parent not in (around.home, around.folder("config"), around.folder("xdg")) else file
        return file.exists() or own.exists() or bool(self._newer_places(around))


def _vscode(name: str, title: str, folder: str) -> Host:
    return Host(name, title, ("config", f"{folder}/User/mcp.json"), "servers", {"type": "stdio"})


HOSTS = {
    host.id: host
    for host in (
        Host(
            "claude-desktop",
            "Claude Desktop",
            ("config", "Claude/claude_desktop_config.json"),
            # Packaged for Windows (MSIX), its view of the usual folder is this one.
            elsewhere=("local", "Packages/Claude_*", "LocalCache/Roaming/Claude/claude_desktop_config.json"),
        ),
        Host("claude-code", "Claude Code", ("home", ".claude.json"), moved_by=("CLAUDE_CONFIG_DIR", ".claude.json")),
        Host("cursor", "Cursor", ("home", ".cursor/mcp.json")),
        _vscode("vscode", "VS Code", "Code"),
        _vscode("vscode-insiders", "VS Code Insiders", "Code - Insiders"),
        Host("windsurf", "Windsurf", ("home", ".codeium/windsurf/mcp_config.json")),
        Host(
            "codex",
            "Codex",
            ("home", ".codex/config.toml"),
            "mcp_servers",
            moved_by=("CODEX_HOME", "config.toml"),
        ),
        Host(
            "zed",
            "Zed",
            ("xdg", "zed/settings.json"),
            "context_servers",
            {"source": "custom", "env": {}},
            windows_place=("config", "Zed/settings.json"),
        ),
        Host("gemini-cli", "Gemini CLI", ("home", ".gemini/settings.json")),
        Host(
            "opencode",
            "opencode",
            ("xdg", "opencode/opencode.json"),
            "mcp",
            style="opencode",
            elsewhere=("xdg", "opencode/opencode.jsonc", ""),
        ),
        Host(
            "cline",
            "Cline",
            ("config", "Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json"),
            moved_by=("CLINE_MCP_SETTINGS_PATH", ""),
            elsewhere=("home", ".cline", "data/settings/cline_mcp_settings.json"),
        ),
        Host(
            "copilot-cli",
            "Copilot CLI",
            ("home", ".copilot/mcp-config.json"),
            extra={"type": "local", "tools": ["*"]},
            moved_by=("COPILOT_HOME", "mcp-config.json"),
        ),
        Host("kiro", "Kiro", ("home", ".kiro/settings/mcp.json")),
        Host("lm-studio", "LM Studio", ("home", ".lmstudio/mcp.json")),
        Host("amazon-q", "Amazon Q", ("home", ".aws/amazonq/mcp.json")),
    )
}


def present_hosts(around: Surroundings) -> list[Host]:
    return [host for host in HOSTS.values() if host.is_present(around)]

"""What the demo runs on: a git repository, a web page, real servers and recorded ones, and a config over them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

from toolrouter.errors import ToolrouterError
from toolrouter.types import JsonObject

_PAGE = (
    "<html><head><title>Opening hours</title></head>"
    "<body><p>Open daily from 9 to 17, closed on Mondays.</p></body></html>"
)
RECORDED = (
    "airtable",
    "azure-devops",
    "chrome-devtools",
    "cloudflare",
    "elasticsearch",
    "excel",
    "firecrawl",
    "github",
    "google-maps",
    "google-workspace",
    "heroku",
    "kubernetes",
    "mongodb",
    "notion",
    "obsidian",
    "pinecone",
    "playwright",
    "redis",
    "slack",
    "supabase",
    "tavily",
    "word",
)
"""As many as a demo has the time to index; more are recorded."""
_REAL = {"git": "mcp_server_git", "time": "mcp_server_time", "fetch": "mcp_server_fetch"}


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything is in place."""

    config: Path
    repository: Path
    page: str
    """The address of a web page on this machine."""
    real: tuple[str, ...]
    recorded: tuple[str, ...]


@contextmanager
def set_the_stage(folder: Path) -> Iterator[Stage]:
    """Writes all files under `folder` and serves the page until left.

    Raises:
        ToolrouterError: the real servers are not installed.
    """
    missing = [module for module in _REAL.values() if find_spec(module) is None]
    if missing:
        raise ToolrouterError(
            f"The demo runs real servers, of which {', '.join(missing)} is not installed here. "
            "Install them with: pip install mcp-server-fetch mcp-server-git mcp-server-time"
        )
    real = [name for name in _REAL if name != "git" or shutil.which("git")]
    repository = folder / "project"
    if "git" in real:
        _make_repository(repository)
    servers = {**{name: _real(name) for name in real}, **recorded_servers()}
    config = folder / "toolrouter.json"
    config.write_text(json.dumps({"mcpServers": servers}, indent=2), encoding="utf-8")
    with _web_page() as page:
        recorded = tuple(name for name in servers if name not in real)
        yield Stage(config, repository, page, tuple(real), recorded)


def recorded_folder() -> Path:
    return Path(__file__).parent.parent / "data" / "recorded"


def recorded_servers() -> dict[str, JsonObject]:
    """A config entry for each recorded server of the demo, by its name."""
    replay, folder = Path(__file__).with_name("replay.py"), recorded_folder()
    return {
        name: {
            "command": sys.executable,
            "args": ["-I", "-S", "-B", str(replay), str(folder / f"{name}.json.gz")],
        }
        for name in RECORDED
    }


def _real(name: str) -> JsonObject:
    options = {"time": ["--local-timezone", "UTC"], "fetch": ["--ignore-robots-txt", "--allow-private-ips"]}
    # A proxy of the person's must not be asked for a page of this machine.
    env = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    return {"command": sys.executable, "args": ["-m", _REAL[name], *options.get(name, [])], "env": env}


def _make_repository(folder: Path) -> None:
    """One commit, and one line changed since."""
    folder.mkdir(parents=True)
    readme = folder / "README.md"
    readme.write_text("# Bakery\n\nOpen daily from 9 to 17.\n", encoding="utf-8")
    author = ("-c", "user.name=Demo", "-c", "user.email=demo@example.com", "-c", "commit.gpgsign=false")
    for words in (("init", "-q"), ("add", "README.md"), (*author, "commit", "-q", "-m", "Say when we are open")):
        subprocess.run(("git", *words), cwd=folder, check=True, capture_output=True, timeout=30)
    readme.write_text("# Bakery\n\nOpen daily from 9 to 17, closed on Mondays.\n", encoding="utf-8")


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = _PAGE.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@contextmanager
def _web_page() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/opening-hours.html"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)

"""FastMCP's proxy over the servers of a config file, on stdio: `python fastmcp_proxy.py CONFIG.json`."""

import json
import sys
from pathlib import Path

from fastmcp.server import create_proxy

servers = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["mcpServers"]
create_proxy({"mcpServers": servers}).run(transport="stdio", show_banner=False)

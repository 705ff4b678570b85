"""FastMCP's proxy over the servers of a config file: `python fastmcp_proxy.py CONFIG.json [PORT]`, else on stdio."""

import json
import sys
from pathlib import Path

from fastmcp.server import create_proxy

servers = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["mcpServers"]
proxy = create_proxy({"mcpServers": servers})
if sys.argv[2:]:
    proxy.run(transport="http", host="127.0.0.1", port=int(sys.argv[2]), show_banner=False)
else:
    proxy.run(transport="stdio", show_banner=False)

"""Tokens that a host is shown at the start: the search surface over 20 servers, beside all their tools.

python -m benchmarks.surface
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.figures import RESULTS, save, show
from benchmarks.live import stage
from toolrouter.catalog.tokens import count_tokens, definition_tokens
from toolrouter.cli.demo_servers import recorded_servers
from toolrouter.evaluation.recorded import recorded_set


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", type=int, default=20)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    servers = dict(list(recorded_servers().items())[: options.servers])
    with stage(servers) as ready:
        ready.run("index")
        with ready.serve() as host:
            instructions = str(host.start().get("instructions", ""))
            listed = host.request("tools/list")["tools"]
    tools = [tool for tool in recorded_set().tools if tool.server in servers]
    figures = {
        "servers": len(servers),
        "tools": len(tools),
        "surface_tokens": sum(map(definition_tokens, listed)) + count_tokens(instructions),
        "meta_tools_tokens": sum(map(definition_tokens, listed)),
        "instructions_tokens": count_tokens(instructions),
        "everything_tokens": sum(tool.tokens for tool in tools),
        "listed": [tool["name"] for tool in listed],
    }
    save("surface", figures, options.out)
    show(
        [
            (f"{len(servers)} servers, {len(tools)} tools", "o200k tokens"),
            ("search surface", str(figures["surface_tokens"])),
            ("  of it: meta-tools", str(figures["meta_tools_tokens"])),
            ("  of it: instructions", str(figures["instructions_tokens"])),
            ("all tools listed", f"{figures['everything_tokens']:,}"),
        ]
    )


if __name__ == "__main__":
    main()

"""`toolrouter init`: a config to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from toolrouter.cli import options
from toolrouter.cli.editing import default_target, save
from toolrouter.cli.output import say
from toolrouter.errors import ConfigError

JSON_TEMPLATE = """\
{
  // The servers that toolrouter stands for, written as Claude Desktop, Cursor and others write them:
  // `toolrouter import FILE` takes over a block you already have, `toolrouter add` writes an entry for you.
  "mcpServers": {
    // "time": { "command": "uvx", "args": ["mcp-server-time"] },
    // "github": {
    //   "command": "npx",
    //   "args": ["-y", "@modelcontextprotocol/server-github"],
    //   "env": { "GITHUB_PERSONAL_ACCESS_TOKEN": "${GITHUB_TOKEN}" }  // read from the environment
    // },
    // "remote": { "url": "https://example.com/mcp", "headers": { "Authorization": "Bearer ${REMOTE_TOKEN}" } }
  },

  // Everything here may be left out; these are the defaults. All settings: `toolrouter schema`.
  "toolrouter": {
    // What a host sees: search (a few meta-tools), all (every tool), auto, dynamic.
    "exposure": "search",
    // Tools that are always listed, by qualified name: "time__get_current_time".
    "pinned": [],
    // New tools: trust-on-first-use, review-new (a person approves each), trust.
    "trust": "trust-on-first-use",
    "search": { "k": 8, "min_score": 0.01, "token_budget": 1000 },
    // What toolrouter does differently for one server, by its name above.
    "servers": {
      // "github": { "deny": ["delete_*"], "about": "Issues and pull requests of our team." }
    }
  }
}
"""
TOML_TEMPLATE = """\
# The servers that toolrouter stands for. `toolrouter import FILE` takes over those of another host.
# [mcpServers.time]
# command = "uvx"
# args = ["mcp-server-time"]
#
# [mcpServers.remote]
# url = "https://example.com/mcp"
# headers = { Authorization = "Bearer ${REMOTE_TOKEN}" }  # read from the environment

# Everything here may be left out; these are the defaults. All settings: `toolrouter schema`.
[toolrouter]
exposure = "search"            # search (a few meta-tools), all (every tool), auto, dynamic
pinned = []                    # tools that are always listed: "time__get_current_time"
trust = "trust-on-first-use"   # or review-new (a person approves each), trust

[toolrouter.search]
k = 8
min_score = 0.01
token_budget = 1000
"""


def command(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="Where to; else your own config folder.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a config that is there (a .bak is kept).")] = False,
    config: options.Config = None,
) -> None:
    """A name that ends in .toml gets TOML. Prints the path."""
    target = (file or config or default_target()).expanduser()
    if target.exists() and not force:
        raise ConfigError(f"{target} is there already. Add to it with `toolrouter add`, or replace it with --force.")
    save(target, TOML_TEMPLATE if target.suffix == ".toml" else JSON_TEMPLATE)
    say(
        "Next: `toolrouter install` (hosts' servers move here), `toolrouter import FILE` or "
        "`toolrouter add NAME -- COMMAND`; then `toolrouter index`."
    )
    print(target)

"""`toolrouter schema`: the JSON Schema of the config file."""

from __future__ import annotations

from typing import Any

from toolrouter.cli import options
from toolrouter.cli.output import print_json
from toolrouter.config import json_schema


def published_schema() -> dict[str, Any]:
    """As published: what depends on the machine (a default taken from its cores) is left out."""
    schema: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema", **json_schema()}
    schema["title"] = "toolrouter config"
    schema["properties"]["$schema"] = {"type": "string", "description": "Where editors find this schema."}
    return schema


def command(config: options.UnusedConfig = None) -> None:
    """Editors complete and check a config that names it under `$schema`."""
    print_json(published_schema())

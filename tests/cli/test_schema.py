"""The published schema and the examples beside it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from tests.cli.conftest import Shell
from toolrouter.cli.schema import published_schema
from toolrouter.settings_file import load_settings, read_config

CONFIGS = Path(__file__).parent.parent.parent / "configs"
EXAMPLES = sorted(path for path in CONFIGS.iterdir() if path.is_file() and path.name != "toolrouter.schema.json")
ENVIRONMENT = {"GITHUB_TOKEN": "a", "DOCS_TOKEN": "b", "TOOLROUTER_TOKEN": "c", "ISSUES_TOKEN": "d", "WIKI_TOKEN": "e"}


def test_the_published_schema_is_current() -> None:
    published = json.loads((CONFIGS / "toolrouter.schema.json").read_text(encoding="utf-8"))
    assert published == published_schema(), "run: toolrouter schema > configs/toolrouter.schema.json"


def test_schema_prints_it(capsys: pytest.CaptureFixture[str], shell: Shell) -> None:
    from toolrouter.cli.main import run

    assert run(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"]["mcpServers"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_a_config_and_fits_the_schema(path: Path) -> None:
    found = load_settings(path, ENVIRONMENT)
    assert found.settings.servers
    assert not found.warnings
    assert not any(spec.unusable for spec in found.settings.servers.values())
    jsonschema.validate(read_config(path).document, published_schema())


def test_the_long_example_shows_every_setting() -> None:
    section = read_config(CONFIGS / "everything.json").document["toolrouter"]
    known = published_schema()["$defs"]["RouterSettings"]["properties"]
    assert set(section) == set(known)
    for name, kind in (("search", "SearchSettings"), ("limits", "Limits"), ("results", "ResultSettings")):
        assert set(section[name]) == set(published_schema()["$defs"][kind]["properties"])

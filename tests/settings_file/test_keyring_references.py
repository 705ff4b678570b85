from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.hosts.conftest import Keys, keys, no_keys  # noqa: F401 - fixtures
from toolrouter.settings_file import load_settings


def config(folder: Path, **env: str) -> Path:
    path = folder / "c.json"
    path.write_text(json.dumps({"mcpServers": {"a": {"command": "x", "env": env}, "b": {"command": "y"}}}))
    return path


def test_a_reference_is_read_from_the_keyring_verbatim(tmp_path: Path, keys: Keys) -> None:  # noqa: F811
    keys.entries["github", "my token"] = "se${X}cret"
    path = config(tmp_path, A="Bearer ${keyring:github/my token}", B="$${keyring:a/b}", C="${V}")
    spec = load_settings(path, {"V": "${keyring:github/my token}"}).settings.servers["a"]
    assert spec.env == {"A": "Bearer se${X}cret", "B": "${keyring:a/b}", "C": "${keyring:github/my token}"}
    assert not spec.unusable


def test_a_secret_that_is_missing_stops_its_own_server_only(tmp_path: Path, keys: Keys) -> None:  # noqa: F811
    settings = load_settings(config(tmp_path, A="${keyring:s/n}"), {}).settings
    assert "store it with `keyring set s n`" in settings.servers["a"].unusable
    assert not settings.servers["b"].unusable


@pytest.mark.usefixtures("no_keys")
def test_without_a_keyring_the_server_says_so(tmp_path: Path) -> None:
    unusable = load_settings(config(tmp_path, A="${keyring:s/n}"), {}).settings.servers["a"].unusable
    assert "mcpServers.a.env.A needs `s/n` of the keyring, but the package `keyring` is installed and finds" in unusable

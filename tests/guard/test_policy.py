from __future__ import annotations

from typing import Any

import pytest

from tests.catalog.making import tool
from toolrouter.config import Settings
from toolrouter.guard.policy import permitted


def settings(**options: Any) -> Settings:
    servers = {"files": {"command": "x"}, "off": {"command": "x", "disabled": True}, "plain": {"command": "x"}}
    return Settings.model_validate({"mcpServers": servers, "toolrouter": {"servers": {"files": options}}})


@pytest.mark.parametrize(
    ("options", "allowed"),
    [
        ({}, {"read_file", "write_file", "Delete_File"}),
        ({"allow": ["read_*"]}, {"read_file"}),
        ({"deny": ["*write*"]}, {"read_file", "Delete_File"}),
        ({"deny": ["delete_*"]}, {"read_file", "write_file"}),
        ({"allow": ["READ_FILE"]}, {"read_file"}),
        ({"allow": ["*"], "deny": ["*"]}, set()),
        ({"allow": []}, set()),
        ({"allow": ["files__w*"]}, {"write_file"}),
        ({"deny": ["files__w*", "read_fil?"]}, {"Delete_File"}),
        ({"allow": ["[rw]*_file"]}, {"read_file", "write_file"}),
    ],
)
def test_globs_of_a_server_allow_and_deny(options: dict[str, Any], allowed: set[str]):
    check = permitted(settings(**options))
    names = ("read_file", "write_file", "Delete_File")
    assert {name for name in names if check(tool("files", name))} == allowed


def test_globs_of_one_server_do_not_touch_another():
    assert permitted(settings(deny=["*"]))(tool("plain", "read_file"))


def test_servers_switched_off_or_unknown_are_never_permitted():
    check = permitted(settings())
    assert not check(tool("off", "read_file"))
    assert not check(tool("stranger", "read_file"))

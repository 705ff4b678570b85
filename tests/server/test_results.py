from __future__ import annotations

import pytest

from toolrouter.server.protocol import stamped
from toolrouter.server.results import for_host
from toolrouter.types import JsonObject

AUDIO = {"type": "audio", "data": "aGk=", "mimeType": "audio/wav"}
LINK = {"type": "resource_link", "uri": "file:///a", "name": "a"}
EVERY_VERSION = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28")


@pytest.mark.parametrize("version", EVERY_VERSION)
def test_what_every_host_knows_is_left_alone(version: str) -> None:
    result: JsonObject = {"content": [{"type": "text", "text": "t", "x": 1}], "isError": False, "y": None}
    assert for_host(result, version) == result


@pytest.mark.parametrize("version", EVERY_VERSION)
@pytest.mark.parametrize("content", [None, "text", {"type": "text"}])
def test_missing_content_becomes_empty_content(version: str, content: object) -> None:
    assert for_host({"content": content, "x": 1}, version) == {"content": [], "x": 1}
    assert for_host({"x": 1}, version) == {"content": [], "x": 1}


@pytest.mark.parametrize("version", EVERY_VERSION)
def test_a_block_of_an_unknown_type_becomes_its_own_json_as_text(version: str) -> None:
    shown = for_host({"content": [{"type": "hologram", "x": [1]}, 3]}, version)["content"]
    assert shown == [{"type": "text", "text": '{"type":"hologram","x":[1]}'}, {"type": "text", "text": "3"}]


def test_hosts_older_than_a_block_type_get_it_as_one_they_know() -> None:
    assert for_host({"content": [AUDIO, LINK]}, "2025-06-18") == {"content": [AUDIO, LINK]}
    oldest = for_host({"content": [AUDIO, LINK]}, "2024-11-05")["content"]
    assert oldest[0]["resource"] == {"uri": "toolrouter://audio", "mimeType": "audio/wav", "blob": "aGk="}
    assert oldest[1]["type"] == "text"
    assert "file:///a" in oldest[1]["text"]


def test_a_structured_value_that_is_no_object_is_text_for_handshake_hosts() -> None:
    result: JsonObject = {"content": [], "structuredContent": [1]}
    assert for_host(result, "2025-11-25") == {"content": [{"type": "text", "text": "[1]"}]}
    assert for_host(result, "2026-07-28") == result


def test_a_stamp_of_the_upstream_is_kept() -> None:
    theirs: JsonObject = {"resultType": "custom", "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "up"}}}
    assert stamped(theirs, {"name": "ours"}) == theirs
    assert stamped({}, {"name": "ours"}) == {
        "resultType": "complete",
        "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "ours"}},
    }

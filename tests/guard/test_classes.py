from __future__ import annotations

import pytest

from tests.catalog.making import definition, tool
from toolrouter.config import ServerOptions
from toolrouter.guard.classes import class_of
from toolrouter.guard.flows import Conversation, Leg, legs_of

READ, NONE, DESTROYS = {"readOnlyHint": True}, {}, {"destructiveHint": True}


@pytest.mark.parametrize(
    ("name", "hints", "expected"),
    [
        ("read_file", READ, "read"),
        ("read_file", NONE, "write"),
        ("delete_file", READ, "destructive"),
        ("deleteFile", READ, "destructive"),
        ("files-purge", READ, "destructive"),
        ("create_issue", READ, "write"),
        ("list_deleted_files", READ, "read"),
        ("get_run", READ, "read"),
        ("anything", DESTROYS, "destructive"),
        ("anything", {**READ, **DESTROYS}, "write"),
        ("anything", READ, "read"),
    ],
)
def test_a_hint_can_only_make_it_worse(name: str, hints: dict[str, bool], expected: str) -> None:
    assert class_of(tool("s", definition(name, annotations=hints)), ServerOptions()) == expected


def test_the_person_has_the_last_word_and_the_worst_class_wins() -> None:
    options = ServerOptions(read=("look*", "s__peek"), write=("look_hard",), destructive=("lookout",))
    found = [class_of(tool("s", definition(name)), options) for name in ("look", "peek", "look_hard", "LOOKOUT", "x")]
    assert found == ["read", "read", "write", "destructive", "write"]


def test_annotations_of_any_shape_are_read() -> None:
    for odd in (None, [], "read", {"readOnlyHint": "yes"}):
        assert class_of(tool("s", definition("read", annotations=odd)), ServerOptions()) == "write"


def test_labels_come_from_the_config_or_from_names() -> None:
    web = tool("s", "fetch_url")
    assert legs_of(web, ServerOptions()) == {Leg.UNTRUSTED, Leg.SINK}
    assert legs_of(web, ServerOptions(untrusted=(), public_sink=("x",))) == set()
    assert legs_of(web, ServerOptions(private=("fetch*",), untrusted=(), public_sink=())) == {Leg.PRIVATE}


@pytest.mark.parametrize(
    ("calls", "completes"),
    [
        (["private", "untrusted", "sink"], True),
        (["untrusted", "private", "sink"], True),
        (["untrusted+private", "sink"], True),
        (["private", "untrusted+sink"], True),
        (["private", "private", "sink"], False),
        (["untrusted", "sink"], False),
        (["sink", "private", "untrusted"], False),
        (["sink", "untrusted", "private", "sink"], True),
        (["untrusted+private+sink"], False),
        (["private+untrusted", "other"], False),
        (["other", "sink"], False),
        ([], False),
    ],
)
def test_a_conversation_notices_when_its_last_call_can_leak(calls: list[str], completes: bool) -> None:
    names = {"private": Leg.PRIVATE, "untrusted": Leg.UNTRUSTED, "sink": Leg.SINK}
    conversation = Conversation()
    found = False
    for call in calls:
        legs = frozenset(names[part] for part in call.split("+") if part in names)
        found = conversation.completes(legs)
        conversation.note(call, legs)
    assert found is completes

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.fakes import World, definition, file_tools, make_tool, make_world
from tests.server.hosts import connected
from toolrouter.catalog.offers import offers_of
from toolrouter.errors import NotFound
from toolrouter.guard.flows import Conversation
from toolrouter.server.gates import CONVERSATION, speaking_for
from toolrouter.types import JsonObject, Server, Status

pytestmark = pytest.mark.anyio
DONE: JsonObject = {"content": [{"type": "text", "text": "done"}]}
HINT = {"readOnlyHint": True}


def listened(world: World) -> list[JsonObject]:
    events: list[JsonObject] = []
    world.router.gates.audit = events.append
    return events


def flow_world(policy: str) -> World:
    names = ("read_inbox", "notes", "send_mail", "sum")
    tools = [make_tool("m", definition(name, name)) for name in names]
    options = {"private": ["notes"], "untrusted": ["read_inbox"], "public_sink": ["send_mail"]}
    behaviours: dict[tuple[str, str], Any] = {("m", name): DONE for name in names}
    return make_world(tools, behaviours=behaviours, flows=policy, servers={"m": options})


async def test_every_call_is_recorded_with_its_hash_and_without_its_arguments() -> None:
    world = make_world(file_tools(), behaviours={("files", "read_file"): DONE})
    events = listened(world)
    async with connected(world) as host:
        await host.initialize()
        await host.call("call_tool", {"name": "files__read_file", "arguments": {"path": "the secret"}})
        await host.call("call_tool", {"name": "files__read_file", "arguments": {}})
        await host.call("call_tool", {"name": "nobody__knows"})
        await host.call("call_read_tool", {"name": "git__git_log", "arguments": {"path": "x"}})
    found = [(event["host"], event["tool"], event["decision"], event["outcome"]) for event in events]
    assert found == [
        ("test", "files__read_file", "allowed", "ok"),
        ("test", "files__read_file", "refused: arguments", ""),
        ("test", "nobody__knows", "refused: no such tool", ""),
        ("test", "git__git_log", "refused: not read-only", ""),
    ]
    assert events[0]["hash"] == next(tool.hash for tool in file_tools() if tool.name == "read_file")
    assert "the secret" not in str(events)


async def test_a_lying_hint_lifts_no_gate_and_the_config_does() -> None:
    tools = [make_tool("s", definition(name, name, annotations=HINT)) for name in ("delete_all", "peek", "erase_view")]
    world = make_world(
        tools,
        behaviours={("s", tool.name): DONE for tool in tools},
        servers={"s": {"read": ["erase_*"], "write": ["peek"]}},
    )
    refused = [(await world.router.call(tool.id, {}, read_only=True)).get("isError", False) for tool in tools]
    assert refused == [True, True, False]


@pytest.mark.parametrize(("policy", "sent"), [("off", True), ("warn", True), ("deny", False)])
async def test_what_would_carry_private_data_out_is_told_or_stopped(policy: str, sent: bool) -> None:
    world = flow_world(policy)
    events = listened(world)
    CONVERSATION.set(Conversation())
    for name in ("send_mail", "notes", "read_inbox", "sum"):
        assert "isError" not in await world.router.call(f"m__{name}", {})
    result = await world.router.call("m__send_mail", {})
    assert ("isError" not in result) is sent
    assert ("flow" in events[-1]["decision"]) is (policy != "off")


@pytest.mark.parametrize("labels", [{"private": ["note:*"], "untrusted": ["digest"]}, {}], ids=["told", "guessed"])
async def test_prompts_and_resources_count_as_what_they_bring_along(labels: dict[str, list[str]]) -> None:
    prompt, uri = ("digest", "note://a") if labels else ("summarise_feed", "db://sql/people")
    read: dict[tuple[str, str], Any] = {("m", prompt): {"messages": []}, ("m", ""): {"contents": []}}
    answers = {("m", "send_mail"): DONE, **read}
    tools = [make_tool("m", definition("send_mail", "Sends"))]
    world = make_world(tools, behaviours=answers, flows="deny", servers={"m": {"public_sink": ["send_mail"], **labels}})
    offered = {"prompts": [{"name": prompt}], "resources": [{"uri": uri, "name": "n"}]}
    server = Server("m", listed_at=1.0, offers=offered, capabilities={"resources": {}, "prompts": {}})
    world.live.snapshot = replace(world.live.snapshot, servers={"m": server}, offers={"m": tuple(offers_of(server))})
    CONVERSATION.set(Conversation())
    await world.router.offerings.get_prompt({"name": f"m__{prompt}"}, None)
    await world.router.offerings.read({"uri": f"m+{uri}"}, None)
    result = await world.router.call("m__send_mail", {})
    assert f"private data by m: {uri}" in str(result)
    assert f"untrusted content by m: {prompt}" in str(result)


async def test_another_conversation_starts_clean() -> None:
    world = flow_world("deny")
    for _ in range(2):
        speaking_for(Conversation(), {"name": "host"})
        await world.router.call("m__notes", {})
    assert "isError" not in await world.router.call("m__send_mail", {})


async def test_results_are_cleaned_unless_the_config_says_otherwise() -> None:
    dirty = {"content": [{"type": "text", "text": "a\x1b[0m\u202eb"}]}
    for clean in (True, False):
        world = make_world(file_tools(), behaviours={("files", "read_file"): dirty}, results={"clean": clean})
        found = await world.router.call("files__read_file", {"path": "x"})
        assert (found is dirty) is not clean


async def test_a_search_says_how_many_tools_await_review_and_nothing_of_them() -> None:
    hidden = [
        make_tool("mail", definition("send_letter", "Send a letter to CANARY"), status=status)
        for status in (Status.PENDING,)
    ] + [make_tool("mail", definition("send_parcel", "Send a parcel"), status=Status.WITHDRAWN)]
    gone = make_tool("off", definition("send_fax", "Send a letter by fax"), status=Status.PENDING)
    rejected = make_tool("mail", definition("send_bill", "Send a letter"), status=Status.REJECTED)
    world = make_world([*file_tools(), *hidden, gone, rejected], aliases=["files", "git", "mail"])
    async with connected(world) as host:
        await host.initialize()
        text = await host.text_of("search_tools", {"query": "send a letter"})
        quiet = await host.text_of("search_tools", {"query": "list the files"})
        elsewhere = await host.text_of("search_tools", {"query": "send a letter", "servers": ["git"]})
    assert "2 tools of server mail await the user's review: ask them to run `toolrouter review mail`." in text
    assert "CANARY" not in text
    assert "send_letter" not in text
    assert "review" not in quiet + elsewhere


async def test_a_search_says_that_a_withdrawn_tool_might_have_been_a_better_hit() -> None:
    tools = [
        make_tool("tracker", definition("add_ticket", "Files a new ticket. Always."), status=Status.WITHDRAWN),
        make_tool("tracker", definition("close_ticket", "Closes a ticket.")),
    ]
    async with connected(make_world(tools)) as host:
        await host.initialize()
        text = await host.text_of("search_tools", {"query": "add a ticket"})
    assert "1 tool of server tracker awaits the user's review" in text


@pytest.mark.parametrize(
    ("status", "reason", "recorded"),
    [
        (Status.WITHDRAWN, "", "refused: withdrawn (changed since it was approved)"),
        (Status.WITHDRAWN, "a check found something", "refused: withdrawn (a check found something)"),
        (Status.REJECTED, "rejected", "refused: rejected"),
        (Status.PENDING, "", "refused: pending"),
    ],
)
@pytest.mark.parametrize("name", ["tracker__add_ticket", "tracker.add_ticket"])
async def test_the_record_of_a_call_says_why_the_tool_may_not_be_used(
    name: str, status: Status, reason: str, recorded: str
) -> None:
    tool = make_tool("tracker", definition("add_ticket", "Files a new ticket."), status=status)
    world = make_world([replace(tool, reason=reason)])
    events = listened(world)
    with pytest.raises(NotFound, match="There is no tool"):
        await world.router.call(name, {})
    (event,) = events
    assert (event["decision"], event["tool"], event["server"]) == (recorded, "tracker__add_ticket", "tracker")


async def test_a_change_under_the_call_is_recorded() -> None:
    world = make_world(file_tools(), behaviours={("files", "read_file"): DONE})
    events = listened(world)
    world.fleet.when_started = lambda: world.show([])
    with pytest.raises(NotFound):
        await world.router.call("files__read_file", {"path": "x"})
    assert events[0]["decision"] == "refused: changed since it was approved"

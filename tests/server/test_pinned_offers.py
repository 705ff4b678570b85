"""Prompts and resources are looked at once more when their server has started, before anything is asked of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fakes import World, file_tools, make_world
from toolrouter.catalog.offers import offers_of
from toolrouter.errors import RpcError
from toolrouter.server.protocol import RESOURCE_NOT_FOUND
from toolrouter.types import JsonObject, Server

pytestmark = pytest.mark.anyio
OFFERED = {"prompts": [{"name": "greet"}], "resources": [{"uri": "note://a", "name": "a"}]}
CHANGED = {"prompts": [{"name": "greet", "title": "!"}], "resources": [{"uri": "note://a", "name": "b"}]}
PROMPT = {"type": "ref/prompt", "name": "files__greet"}
RESOURCE = {"type": "ref/resource", "uri": "note://a"}


def offering() -> World:
    """A server whose prompt and resource are approved as in OFFERED."""
    answers: dict[tuple[str, str], JsonObject] = {("files", "greet"): {"messages": []}, ("files", ""): {"contents": []}}
    world = make_world(file_tools(), behaviours=answers)
    change(world, OFFERED)
    return world


def change(world: World, offered: dict[str, list[JsonObject]]) -> None:
    """The server is listed: what was not approved so is out of sight."""
    server = Server("files", listed_at=1.0, offers=offered, capabilities={"resources": {}, "prompts": {}})
    servers = {**world.live.snapshot.servers, "files": server}
    approved = tuple(offers_of(server)) if offered is OFFERED else ()
    world.live.snapshot = replace(world.live.snapshot, servers=servers, offers={"files": approved})


@pytest.mark.parametrize("changed", [CHANGED, {}], ids=["changed", "gone"])
async def test_what_changed_while_its_server_slept_is_not_asked_for(changed: dict[str, list[JsonObject]]) -> None:
    world = offering()
    asked = world.router.offerings
    assert await asked.get_prompt({"name": "files__greet"}, None) == {"messages": []}
    assert await asked.read({"uri": "note://a"}, None) == {"contents": []}
    world.fleet.requests.clear()
    world.fleet.when_started = lambda: change(world, changed)
    with pytest.raises(RpcError, match="no longer what it was"):
        await asked.get_prompt({"name": "files__greet"}, None)
    change(world, OFFERED)
    with pytest.raises(RpcError, match="no longer what it was"):
        await asked.complete({"ref": PROMPT})
    if changed:  # a server may serve resources that it does not list
        for ask in (lambda: asked.read({"uri": "note://a"}, None), lambda: asked.complete({"ref": RESOURCE})):
            change(world, OFFERED)
            with pytest.raises(RpcError, match="Resource not found"):
                await ask()
        assert world.fleet.requests == []


TEMPLATE = {"uriTemplate": "db://{table}", "name": "t"}


async def read(world: World, uri: str) -> bool:
    try:
        await world.router.offerings.read({"uri": uri}, None)
    except RpcError as error:
        return error.code != RESOURCE_NOT_FOUND
    return True


async def test_what_only_a_template_offers_that_nobody_approved_is_not_read() -> None:
    world = offering()
    assert await read(world, "db://users")
    offered = {**OFFERED, "resourceTemplates": [TEMPLATE]}
    change(world, offered)
    assert not await read(world, "db://users")
    assert not await read(world, "files+db://users")
    assert not await read(world, "db://{table}")
    assert await read(world, "other://users")
    server = world.live.snapshot.servers["files"]
    world.live.snapshot = replace(world.live.snapshot, offers={"files": tuple(offers_of(server))})
    assert await read(world, "db://users")


async def test_an_approved_template_does_not_cover_a_resource_that_nobody_approved() -> None:
    world = offering()
    change(world, {"resourceTemplates": [TEMPLATE], "resources": [{"uri": "db://users", "name": "changed"}]})
    offers = tuple(offers_of(world.live.snapshot.servers["files"]))
    approved = tuple(offer for offer in offers if offer.name == "db://{table}")
    world.live.snapshot = replace(world.live.snapshot, offers={"files": approved})
    assert await read(world, "db://orders")
    assert not await read(world, "db://users")


@pytest.mark.parametrize(
    ("options", "uris"),
    [
        ({}, {"note://b", "other://b"}),
        ({"deny": ["resource:note:*"]}, {"other://b"}),
        ({"allow": ["read_file"]}, set()),
        ({"allow": ["*_file", "note://*"]}, {"note://b"}),
    ],
)
async def test_allow_and_deny_hold_for_what_is_not_listed_too(options: dict[str, list[str]], uris: set[str]) -> None:
    world = make_world(file_tools(), behaviours={("files", ""): {"contents": []}}, servers={"files": options})
    server = Server("files", listed_at=1.0, capabilities={"resources": {}})
    world.live.snapshot = replace(world.live.snapshot, servers={"files": server})
    assert {uri for uri in ("note://b", "other://b") if await read(world, uri)} == uris

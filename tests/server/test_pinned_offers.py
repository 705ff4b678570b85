"""Prompts and resources are looked at once more when their server has started, before anything is asked of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fakes import World, file_tools, make_world
from toolrouter.catalog.offers import offers_of
from toolrouter.errors import RpcError
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

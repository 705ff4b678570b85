"""Prompts and resources in a search: only on request, only what is approved, best first, one line each."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from tests.fakes import World, file_tools, make_world
from toolrouter.catalog.offers import offers_of
from toolrouter.server.meta_tools import Call, MetaTools
from toolrouter.types import JsonObject, Server

pytestmark = pytest.mark.anyio
PROMPTS: list[JsonObject] = [
    {
        "name": "review_code",
        "description": "Review a change. Be strict.",
        "arguments": [{"name": "diff", "required": True}, {"name": "tone"}],
    },
    {"name": "greet", "title": "Say hello\nto somebody"},
]
RESOURCES: list[JsonObject] = [
    {"uri": "file:///style.md", "name": "style", "description": "How we write code"},
    {"uri": "file:///menu.md", "name": "menu", "description": "What there is for lunch"},
]
TEMPLATES: list[JsonObject] = [{"uriTemplate": "db://{table}/rows", "name": "rows", "description": "Rows of a table"}]
OFFERS = {"prompts": PROMPTS, "resources": RESOURCES, "resourceTemplates": TEMPLATES}
BOTH = ["prompts", "resources"]


def world(hidden: str = "") -> World:
    """A catalog in which everything but `hidden` is approved."""
    server = Server("files", listed_at=1.0, offers=OFFERS)
    made = make_world(file_tools(), known={"files": server})
    offers = {"files": tuple(offer for offer in offers_of(server) if offer.name != hidden)}
    made.live.snapshot = replace(made.live.snapshot, offers=offers)
    return made


async def found(made: World, query: str, include: list[str] | None = BOTH, **more: object) -> str:
    arguments = {"query": query, **({"include": include} if include else {}), **more}
    with anyio.fail_after(60):
        result = await MetaTools(made.router).call("search_tools", Call(arguments))
    return str(result["content"][0]["text"])


async def test_a_search_for_tools_says_nothing_of_prompts_and_resources() -> None:
    assert "review_code" not in await found(world(), "review code", None)


async def test_what_fits_stands_under_its_own_heading_with_how_it_is_used() -> None:
    lines = (await found(world(), "review code")).splitlines()
    prompts, resources = (next(n for n, line in enumerate(lines) if line.startswith(f"# {kind}")) for kind in BOTH)
    assert "prompts/get" in lines[prompts]
    assert lines[prompts + 1] == "files__review_code(diff*, tone) - Review a change"
    assert "resources/read" in lines[resources]
    assert lines[resources + 1] == "files+file:///style.md - How we write code"
    assert "menu" not in "\n".join(lines)
    assert "No tool gets these." in lines[-1]


async def test_templates_are_found_among_resources_and_words_come_in_one_line() -> None:
    assert "files+db://{table}/rows - Rows of a table" in await found(world(), "rows of a table")
    assert "files__greet() - Say hello to somebody" in await found(world(), "say hello")


async def test_what_does_not_fit_is_not_shown_and_that_is_said() -> None:
    text = await found(world(), "orbital mechanics", ["resources"])
    assert text.endswith("\nnothing fits")
    assert "# prompts" not in text


@pytest.mark.parametrize("hidden", ["review_code", "file:///style.md"])
async def test_what_is_not_approved_is_not_found(hidden: str) -> None:
    assert hidden in await found(world(), "review code")
    assert hidden not in await found(world(hidden), "review code")


async def test_the_catalog_of_the_moment_is_searched() -> None:
    made = world()
    assert "menu" in await found(made, "lunch")
    made.live.snapshot = replace(made.live.snapshot, offers={})
    assert "menu" not in await found(made, "lunch")


async def test_number_and_servers_limit_these_too() -> None:
    text = await found(world(), "code style menu lunch write", ["resources"], limit=1)
    assert text.count("files+file://") == 1
    assert "files+" not in await found(world(), "code style", servers=["git"])

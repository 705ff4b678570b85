from __future__ import annotations

from typing import Any

import anyio
import pytest

from tests.fakes import PATH_SCHEMA, definition, file_tools, make_tool, make_world
from tests.server.hosts import connected
from toolrouter.server.exposure import PAGE_SIZE, Surface
from toolrouter.server.meta_tools import DEFINITIONS
from toolrouter.server.router import COLD_WAIT_S
from toolrouter.types import JsonObject, Status

pytestmark = pytest.mark.anyio

ODD: JsonObject = {
    "description": "D\u00e9j\u00e0 vu",
    "name": "odd",
    "inputSchema": {"properties": {"a": {"x-own": None}}, "type": "object"},
    "outputSchema": {"type": "object"},
    "annotations": {"customHint": 1},
    "icons": [{"src": "data:,", "x": 1}],
    "_meta": {"v": [1]},
    "x-vendor": {"kept": True},
}


def names(page: tuple[list[JsonObject], str | None]) -> list[str]:
    return [tool["name"] for tool in page[0]]


def surface(tools: list[Any], **options: Any) -> Surface:
    return Surface(make_world(tools, **options).router)


async def test_search_lists_the_meta_tools_and_what_is_pinned() -> None:
    pinned = ["git__git_log", "files__read_file", "files__gone"]
    page = surface(file_tools(), pinned=pinned).page(None, "2025-11-25")
    assert names(page) == [*(tool["name"] for tool in DEFINITIONS), "files__read_file", "git__git_log"]


async def test_a_listed_tool_is_its_raw_definition_under_the_qualified_name() -> None:
    for options in ({"exposure": "all"}, {"pinned": ["s__odd"]}):
        page, _ = surface([make_tool("s", ODD)], **options).page(None, "2026-07-28")
        assert list(page[-1].items()) == list({**ODD, "name": "s__odd"}.items())


async def test_all_lists_every_visible_tool_in_order_of_name() -> None:
    hidden = make_tool("files", definition("shred", "Shred."), status=Status.PENDING)
    page = surface([*reversed(file_tools()), hidden], exposure="all").page(None, "2025-11-25")
    assert names(page) == ["files__list_directory", "files__read_file", "git__git_log"]


@pytest.mark.parametrize(
    ("given", "listed"),
    [
        ({"properties": {}}, {"properties": {}, "type": "object"}),
        (None, {"type": "object"}),
        ({"type": "string"}, {"type": "object"}),
        (PATH_SCHEMA, PATH_SCHEMA),
    ],
)
async def test_an_input_schema_that_hosts_reject_is_repaired(given: object, listed: JsonObject) -> None:
    raw = {**definition("t", "T."), "inputSchema": given}
    page, _ = surface([make_tool("s", raw)], exposure="all").page(None, "2026-07-28")
    assert page[0]["inputSchema"] == listed
    assert raw["inputSchema"] == given


async def test_an_output_schema_of_the_new_era_is_shown_to_hosts_of_the_new_era_only() -> None:
    shown = surface([make_tool("s", {**ODD, "outputSchema": {"type": "array"}})], exposure="all")
    assert shown.page(None, "2026-07-28")[0][0]["outputSchema"] == {"type": "array"}
    assert "outputSchema" not in shown.page(None, "2025-11-25")[0][0]


@pytest.mark.parametrize(("threshold", "listed"), [(10_000, 3), (10, 5)])
async def test_auto_lists_everything_only_when_that_is_cheap(threshold: int, listed: int) -> None:
    shown = surface(file_tools(), exposure="auto", auto_threshold_tokens=threshold)
    await shown.settle()
    assert len(shown.page(None, "2025-11-25")[0]) == listed


async def test_auto_stays_as_it_was_decided() -> None:
    world = make_world(file_tools(), exposure="auto", auto_threshold_tokens=1_000)
    shown = Surface(world.router)
    assert len(shown.page(None, "2025-11-25")[0]) == 3
    world.show([make_tool("big", definition(f"t{number}", "T."), tokens=900) for number in range(9)])
    assert len(shown.page(None, "2025-11-25")[0]) == 9


async def test_dynamic_is_served_as_search() -> None:
    assert len(surface(file_tools(), exposure="dynamic").page(None, "2025-11-25")[0]) == len(DEFINITIONS)


async def test_a_cold_catalog_is_waited_for_when_the_list_depends_on_it() -> None:
    world = make_world([], aliases=["files", "git"], ready=False, exposure="all")
    async with connected(world) as host:
        await host.initialize()

        async def index() -> None:
            await host.ask("ping")
            world.show(file_tools())
            world.ready.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(index)
            assert len((await host.ask("tools/list"))["tools"]) == 3


async def test_a_warm_catalog_is_listed_at_once_though_a_refresh_is_under_way() -> None:
    for options in ({"exposure": "all"}, {"exposure": "auto"}, {"pinned": ["git__git_log"]}):
        async with connected(make_world(file_tools(), ready=False, **options)) as host:
            await host.initialize()
            with anyio.fail_after(COLD_WAIT_S / 2):
                assert "git__git_log" in str(await host.ask("tools/list"))


async def test_the_constant_list_is_answered_before_anything_is_indexed() -> None:
    async with connected(make_world([], aliases=["files"], ready=False)) as host:
        assert "files" in (await host.initialize())["instructions"]
        assert len((await host.ask("tools/list"))["tools"]) == len(DEFINITIONS)


async def test_a_huge_list_comes_in_pages_that_miss_and_repeat_nothing() -> None:
    tools = [make_tool("s", definition(f"t{number:05}", "T.")) for number in range(2 * PAGE_SIZE + 1)]
    shown = surface(tools, exposure="all")
    found: list[str] = []
    cursor = None
    for _ in range(3):
        page, cursor = shown.page(cursor, "2025-11-25")
        found += [tool["name"] for tool in page]
    assert cursor is None
    assert found == [tool.id for tool in tools]


async def test_a_cursor_of_somebody_else_is_refused() -> None:
    async with connected(make_world(file_tools())) as host:
        await host.initialize()
        assert (await host.error_of("tools/list", {"cursor": "x"})).code == -32602
        assert (await host.error_of("tools/list", {"cursor": 3})).code == -32602


async def test_a_visible_tool_can_be_called_by_name_in_every_exposure() -> None:
    done: JsonObject = {"content": [{"type": "text", "text": "done"}]}
    for exposure in ("search", "all", "auto", "dynamic"):
        world = make_world(file_tools(), behaviours={("files", "read_file"): done}, exposure=exposure)
        async with connected(world) as host:
            await host.initialize()
            assert await host.text_of("files__read_file", {"path": "x"}) == "done"
            assert await host.text_of("search_tools", {"query": "read a file"})


async def test_a_change_of_a_pinned_tool_is_announced_and_others_are_not() -> None:
    world = make_world(file_tools(), pinned=["git__git_log"])
    async with connected(world) as host:
        await host.initialize()
        await host.ask("tools/list")
        world.show([*file_tools()[:1], file_tools()[2]])
        await host.ask("ping")
        assert host.notes == []
        world.show(file_tools()[:1])
        assert (await host.wait_note())[0] == "notifications/tools/list_changed"


async def test_a_host_hears_of_a_change_that_another_host_saw_first() -> None:
    world = make_world(file_tools(), exposure="all")
    shown = Surface(world.router)
    with shown.changes() as changes:
        shown.page(None, "2025-11-25")
        world.live.snapshot = make_world(file_tools()[:1]).live.snapshot
        shown.page(None, "2025-11-25")
        world.router.catalog_changed()
        with anyio.fail_after(120):
            assert await anext(changes) == {"tools"}

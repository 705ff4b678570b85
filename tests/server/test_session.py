from __future__ import annotations

import anyio
import pytest

from tests.fakes import definition, file_tools, make_tool, make_world
from tests.server.hosts import ENVELOPE, connected
from toolrouter.errors import RpcError
from toolrouter.ports import OnProgress
from toolrouter.server.opening import CAPABILITIES
from toolrouter.types import JsonObject

pytestmark = pytest.mark.anyio

HANDSHAKE = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
SUBSCRIPTION_KEY = "io.modelcontextprotocol/subscriptionId"
OWN_TOOLS = ["search_tools", "describe_tools", "call_tool", "call_read_tool", "read_result"]
READ = ("files", "read_file")
SEARCH_TOOL = make_tool("fs", definition("search_tool", "Search"))


@pytest.mark.parametrize("version", HANDSHAKE)
async def test_every_handshake_version_is_answered_with_itself(version: str) -> None:
    async with connected(make_world(file_tools())) as host:
        result = await host.initialize(version)
        assert result["protocolVersion"] == version
        assert result["capabilities"] == CAPABILITIES
        assert result["serverInfo"]["name"] == "toolrouter"
        assert "files (2)" in result["instructions"]
        listed = await host.ask("tools/list")
        assert [tool["name"] for tool in listed["tools"]] == OWN_TOOLS
        assert set(listed) == {"tools"}


async def test_an_unknown_version_is_answered_with_the_latest_of_the_handshake() -> None:
    async with connected(make_world(file_tools())) as host:
        assert (await host.initialize("2031-01-01"))["protocolVersion"] == "2025-11-25"


async def test_ping_is_answered_before_and_after_the_handshake() -> None:
    async with connected(make_world(file_tools())) as host:
        assert await host.ask("ping") == {}
        await host.initialize()
        assert await host.ask("ping") == {}


async def test_a_request_before_initialize_is_refused_and_the_handshake_still_works() -> None:
    async with connected(make_world(file_tools())) as host:
        assert (await host.error_of("tools/list")).code == -32600
        await host.initialize()
        assert await host.ask("tools/list")


@pytest.mark.parametrize("method", ["tasks/list", "subscriptions/listen", "server/discover", "nonsense"])
async def test_what_a_handshake_host_may_not_ask_is_not_found(method: str) -> None:
    async with connected(make_world(file_tools())) as host:
        await host.initialize()
        error = await host.error_of(method, {"level": "info"})
        assert (error.code, error.message) == (-32601, "Method not found")


async def test_initialize_without_a_version_is_refused() -> None:
    async with connected(make_world(file_tools())) as host:
        assert (await host.error_of("initialize", {})).code == -32602


async def test_discover_says_what_is_served() -> None:
    async with connected(make_world(file_tools()), modern=True) as host:
        result = await host.ask("server/discover")
        assert result["supportedVersions"] == ["2026-07-28"]
        assert result["resultType"] == "complete"
        assert result["cacheScope"] == "private"
        assert result["ttlMs"] > 0
        assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "toolrouter"
        assert "search_tools" in result["instructions"]


async def test_a_modern_list_carries_its_caching_and_the_server_info() -> None:
    async with connected(make_world(file_tools()), modern=True) as host:
        result = await host.ask("tools/list")
        assert [tool["name"] for tool in result["tools"]] == OWN_TOOLS
        assert (result["resultType"], result["cacheScope"]) == ("complete", "public")
        assert "nextCursor" not in result


@pytest.mark.parametrize("exposure", ["search", "all"])
async def test_only_what_is_the_same_for_everybody_may_be_shown_to_others(exposure: str) -> None:
    mine: JsonObject = {"content": [], "ttlMs": 5, "cacheScope": "private", "resultType": "complete"}
    world = make_world(file_tools(), behaviours={READ: mine}, exposure=exposure)
    async with connected(world, modern=True) as host:
        own = (await host.ask("tools/list"))["cacheScope"]
        assert own == ("public" if exposure == "search" else "private")
        for method in ("prompts/list", "resources/list", "resources/templates/list", "server/discover"):
            assert (await host.ask(method))["cacheScope"] == "private", method
        assert (await host.call("files__read_file", {"path": "x"}))["cacheScope"] == "private"
    async with connected(make_world(file_tools(), pinned=["files__read_file"]), modern=True) as host:
        assert (await host.ask("tools/list"))["cacheScope"] == "private"


@pytest.mark.parametrize("method", ["ping", "resources/subscribe", "logging/setLevel"])
async def test_what_a_modern_host_may_not_ask_is_not_found(method: str) -> None:
    async with connected(make_world(file_tools()), modern=True) as host:
        assert (await host.error_of(method)).code == -32601


@pytest.mark.parametrize("missing", [VERSION_KEY, "io.modelcontextprotocol/clientCapabilities"])
async def test_an_incomplete_envelope_is_refused_by_name(missing: str) -> None:
    async with connected(make_world(file_tools()), modern=True) as host:
        await host.ask("server/discover")
        host.envelope = {key: value for key, value in ENVELOPE.items() if key != missing}
        error = await host.error_of("tools/list")
        assert error.code == -32602
        assert missing in error.message


async def test_a_version_that_is_not_served_is_refused_with_those_that_are() -> None:
    async with connected(make_world(file_tools()), modern=True) as host:
        host.envelope = {**ENVELOPE, VERSION_KEY: "2030-01-01"}
        error = await host.error_of("server/discover")
        assert error.code == -32022
        assert error.data == {"supported": ["2026-07-28"], "requested": "2030-01-01"}


async def test_initialize_after_a_modern_opening_is_refused_with_the_modern_versions() -> None:
    async with connected(make_world(file_tools()), modern=True) as host:
        await host.ask("server/discover")
        host.envelope = None
        error = await host.error_of("initialize", {"protocolVersion": "2025-11-25"})
        assert error.code == -32022
        assert error.data == {"supported": ["2026-07-28"], "requested": "2025-11-25"}


async def test_an_enveloped_request_after_a_handshake_is_refused() -> None:
    async with connected(make_world(file_tools())) as host:
        await host.initialize()
        host.envelope = ENVELOPE
        assert (await host.error_of("tools/list")).code == -32600


CONTENT: JsonObject = {
    "content": [
        {"type": "text", "text": "caf\u00e9 \U0001f600", "annotations": {"audience": ["user"]}, "x-own": {"a": None}},
        {"type": "image", "data": "aGk=", "mimeType": "image/png", "_meta": {"k": 1}},
        {"type": "audio", "data": "aGk=", "mimeType": "audio/wav"},
        {"type": "resource_link", "uri": "file:///a", "name": "a", "size": 2**60},
        {"type": "resource", "resource": {"uri": "file:///a", "text": "t"}},
    ],
    "structuredContent": {"rows": [1, 2.5, None, {"deep": [True]}]},
    "isError": True,
    "_meta": {"vendor.example/x": {"y": [1]}},
    "unknownField": {"kept": "yes"},
}


@pytest.mark.parametrize("through", ["call_tool", "directly"])
@pytest.mark.parametrize("version", HANDSHAKE[2:])
async def test_a_result_reaches_a_handshake_host_as_it_came(version: str, through: str) -> None:
    async with connected(make_world(file_tools(), behaviours={READ: CONTENT})) as host:
        await host.initialize(version)
        if through == "directly":
            assert await host.call("files__read_file", {"path": "x"}) == CONTENT
        else:
            arguments = {"name": "files__read_file", "arguments": {"path": "x"}}
            assert await host.call("call_tool", arguments) == CONTENT


async def test_a_result_reaches_a_modern_host_with_nothing_but_the_stamps_added() -> None:
    async with connected(make_world(file_tools(), behaviours={READ: CONTENT}), modern=True) as host:
        result = await host.call("files__read_file", {"path": "x"})
        assert result.pop("resultType") == "complete"
        assert result["_meta"].pop("io.modelcontextprotocol/serverInfo")
        assert result == CONTENT


async def test_a_modern_result_loses_its_stamps_for_a_handshake_host() -> None:
    modern = {"resultType": "complete", "ttlMs": 5, "cacheScope": "private", "content": [], "structuredContent": [1, 2]}
    async with connected(make_world(file_tools(), behaviours={READ: modern})) as host:
        await host.initialize()
        result = await host.call("files__read_file", {"path": "x"})
        assert result == {"content": [{"type": "text", "text": "[1,2]"}]}


async def test_an_upstream_error_object_passes_through_as_an_error() -> None:
    error = RpcError(-32050, "quota used up", {"retry": 5})
    async with connected(make_world(file_tools(), behaviours={READ: error})) as host:
        await host.initialize()
        found = await host.error_of("tools/call", {"name": "files__read_file", "arguments": {"path": "x"}})
        assert (found.code, found.message, found.data) == (-32050, "quota used up", {"retry": 5})


async def test_an_unknown_tool_is_a_protocol_error_that_names_the_near_ones() -> None:
    async with connected(make_world(file_tools())) as host:
        await host.initialize()
        error = await host.error_of("tools/call", {"name": "files__read_files"})
        assert error.code == -32602
        assert "files__read_file" in error.message


async def test_a_misspelt_meta_tool_is_named_before_the_tools_of_servers() -> None:
    tools = [*file_tools(), SEARCH_TOOL]
    async with connected(make_world(tools)) as host:
        await host.initialize()
        error = await host.error_of("tools/call", {"name": "search_toolz"})
        through = await host.text_of("call_tool", {"name": "search_toolz"})
    expected = "There is no tool 'search_toolz'. Did you mean search_tools, fs__search_tool"
    assert error.message.startswith(f"Unknown tool: {expected}")
    assert through.startswith(expected)


async def test_where_no_meta_tool_is_listed_none_is_suggested() -> None:
    async with connected(make_world([*file_tools(), SEARCH_TOOL], exposure="all")) as host:
        await host.initialize()
        error = await host.error_of("tools/call", {"name": "search_toolz"})
    assert "Did you mean fs__search_tool?" in error.message


@pytest.mark.parametrize("params", [{}, {"name": 3}, {"name": "search_tools", "arguments": [1]}])
async def test_a_malformed_call_is_an_invalid_params_error(params: JsonObject) -> None:
    async with connected(make_world(file_tools())) as host:
        await host.initialize()
        assert (await host.error_of("tools/call", params)).code == -32602


async def test_progress_of_the_upstream_reaches_the_host_under_its_own_token() -> None:
    async def work(params: JsonObject, on_progress: OnProgress | None) -> JsonObject:
        assert on_progress is not None
        await on_progress({"progressToken": "theirs", "progress": 1, "total": 2, "x": "kept"})
        return {"content": []}

    async with connected(make_world(file_tools(), behaviours={READ: work})) as host:
        await host.initialize()
        seen: list[JsonObject] = []
        done = anyio.Event()

        async def on_progress(params: JsonObject) -> None:
            seen.append(params)
            done.set()

        call = {"name": "call_tool", "arguments": {"name": "files__read_file", "arguments": {"path": "x"}}}
        await host.ask("tools/call", call, on_progress=on_progress)
        with anyio.fail_after(120):
            await done.wait()
        assert {**seen[0], "progressToken": "any"} == {"progressToken": "any", "progress": 1, "total": 2, "x": "kept"}
        assert seen[0]["progressToken"] != "theirs"


async def test_cancelling_a_call_cancels_it_upstream() -> None:
    started, cancelled = anyio.Event(), anyio.Event()

    async def hang(params: JsonObject, on_progress: OnProgress | None) -> JsonObject:
        started.set()
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()
        raise AssertionError

    async with connected(make_world(file_tools(), behaviours={READ: hang})) as host:
        await host.initialize()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(host.call, "files__read_file", {"path": "x"})
            await started.wait()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(120):
            await cancelled.wait()


async def test_a_hanging_call_holds_up_no_other_request() -> None:
    async def hang(params: JsonObject, on_progress: OnProgress | None) -> JsonObject:
        await anyio.sleep_forever()
        raise AssertionError

    async with connected(make_world(file_tools(), behaviours={READ: hang})) as host:
        await host.initialize()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(host.call, "files__read_file", {"path": "x"})
            assert await host.ask("ping") == {}
            assert "files__read_file" in await host.text_of("search_tools", {"query": "read a file"})
            tasks.cancel_scope.cancel()


async def test_meta_of_the_host_goes_along_without_what_belongs_to_this_hop() -> None:
    world = make_world(file_tools(), behaviours={READ: {"content": []}})
    async with connected(world, modern=True) as host:
        meta = {"traceparent": "00-a-b-01", "progressToken": "p", "vendor/x": 1}
        await host.call("files__read_file", {"path": "x"}, _meta=meta)
    assert world.fleet.requests[-1][2] == {
        "name": "read_file",
        "arguments": {"path": "x"},
        "_meta": {"traceparent": "00-a-b-01", "vendor/x": 1, "io.modelcontextprotocol/clientCapabilities": {}},
    }


async def test_a_handshake_host_hears_that_the_list_changed() -> None:
    world = make_world(file_tools(), exposure="all")
    async with connected(world) as host:
        await host.initialize()
        await host.ask("tools/list")
        world.show([*file_tools(), make_tool("git", definition("git_diff", "Show changes."))])
        assert await host.wait_note() == ("notifications/tools/list_changed", {})
        assert len((await host.ask("tools/list"))["tools"]) == 4


async def test_a_constant_list_announces_nothing_when_the_catalog_changes() -> None:
    world = make_world(file_tools())
    async with connected(world) as host:
        await host.initialize()
        await host.ask("tools/list")
        world.show(file_tools()[:1])
        await host.ask("ping")
        assert host.notes == []


async def test_a_modern_host_hears_of_changes_where_it_listens() -> None:
    world = make_world(file_tools(), exposure="all")
    async with connected(world, modern=True) as host:
        await host.ask("tools/list")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(host.ask, "subscriptions/listen", {"notifications": {"toolsListChanged": True}})
            method, params = await host.wait_note()
            assert method == "notifications/subscriptions/acknowledged"
            assert params["notifications"] == {"toolsListChanged": True}
            world.show(file_tools()[:1])
            changed, about = await host.wait_note()
            assert changed == "notifications/tools/list_changed"
            assert about["_meta"][SUBSCRIPTION_KEY] == params["_meta"][SUBSCRIPTION_KEY]
            tasks.cancel_scope.cancel()


async def test_a_subscription_to_another_list_hears_nothing_of_the_tools() -> None:
    world = make_world(file_tools(), exposure="all")
    async with connected(world, modern=True) as host:
        await host.ask("tools/list")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(host.ask, "subscriptions/listen", {"notifications": {"promptsListChanged": True}})
            assert (await host.wait_note())[1]["notifications"] == {"promptsListChanged": True}
            world.show(file_tools()[:1])
            await host.ask("tools/list")
            assert host.notes == []
            tasks.cancel_scope.cancel()


async def test_ten_megabytes_pass_both_ways() -> None:
    async def echo(params: JsonObject, on_progress: OnProgress | None) -> JsonObject:
        return {"content": [{"type": "text", "text": params["arguments"]["path"]}]}

    async with connected(make_world(file_tools(), behaviours={READ: echo}, exposure="all")) as host:
        await host.initialize()
        text = "x" * 10_000_000
        assert await host.text_of("files__read_file", {"path": text}) == text

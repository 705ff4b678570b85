"""The HTTP server on a free port: the official client in both eras, and what must not get in."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import httpx2
import pytest

from tests.fakes import World, definition, file_tools, make_tool, make_world
from tests.server.hosts import ENVELOPE
from toolrouter.errors import ConfigError, RpcError
from toolrouter.ports import OnProgress
from toolrouter.server import http_streams
from toolrouter.server.http import Endpoint, serve_http
from toolrouter.server.http_streams import MAX_EVENTS
from toolrouter.server.meta_tools import DEFINITIONS
from toolrouter.types import JsonObject

pytestmark = pytest.mark.anyio

READ = ("files", "read_file")
RAW: JsonObject = {
    "content": [
        {"type": "text", "text": "t", "x-own": {"null": None}},
        {"type": "image", "data": "aGk=", "mimeType": "image/png"},
    ],
    "structuredContent": {"a": [1, None]},
    "_meta": {"vendor.example/x": 1},
    "unknownField": {"kept": True},
}


@asynccontextmanager
async def served(world: World, host: str = "127.0.0.1") -> AsyncIterator[Endpoint]:
    with anyio.fail_after(120):
        async with anyio.create_task_group() as tasks:
            yield await tasks.start(serve_http, world.router, host, 0)
            tasks.cancel_scope.cancel()


def headers(endpoint: Endpoint, more: Mapping[str, str] | None = None) -> dict[str, str]:
    given = {"Authorization": f"Bearer {endpoint.token}", "Accept": "application/json, text/event-stream"}
    return {**given, **(more or {})}


async def post(endpoint: Endpoint, method: str, params: JsonObject, more: Mapping[str, str] | None = None) -> Any:
    """One request of the new era, without any client library between."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": ENVELOPE}}
    routing = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method}
    if "name" in params:
        routing["Mcp-Name"] = params["name"]
    async with httpx2.AsyncClient(headers=headers(endpoint, {**routing, **(more or {})})) as client:
        return await client.post(endpoint.url, json=body)


@asynccontextmanager
async def client_of(endpoint: Endpoint, mode: str, **options: Any) -> AsyncIterator[Any]:
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {endpoint.token}"}, timeout=180) as http,
        Client(streamable_http_client(endpoint.url, http_client=http), mode=mode, **options) as client,
    ):
        yield client


@pytest.mark.parametrize("mode", ["auto", "legacy", "2026-07-28"])
async def test_the_official_client_lists_searches_and_calls(mode: str) -> None:
    async def work(params: JsonObject, on_progress: OnProgress | None) -> JsonObject:
        assert on_progress is not None
        await on_progress({"progress": 1, "total": 1})
        return {"content": [{"type": "text", "text": "done"}]}

    world = make_world(file_tools(), behaviours={READ: work})
    async with served(world) as endpoint, client_of(endpoint, mode) as client:
        assert len((await client.list_tools()).tools) == len(DEFINITIONS)
        found = await client.call_tool("search_tools", {"query": "read a file"})
        assert "files__read_file(" in found.content[0].text
        seen: list[float] = []

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            seen.append(progress)

        call = {"name": "files__read_file", "arguments": {"path": "x"}}
        result = await client.call_tool("call_tool", call, progress_callback=on_progress)
        assert result.content[0].text == "done"
        assert seen == [1]


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_cancelling_a_call_cancels_it_upstream(mode: str) -> None:
    started, cancelled = anyio.Event(), anyio.Event()

    async def hang(params: JsonObject, on_progress: OnProgress | None) -> JsonObject:
        started.set()
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()
        raise AssertionError

    world = make_world(file_tools(), behaviours={READ: hang})
    async with served(world) as endpoint, client_of(endpoint, mode) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "files__read_file", {"path": "x"})
            await started.wait()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(120):
            await cancelled.wait()


async def test_a_result_reaches_a_modern_host_with_nothing_but_the_stamps_added() -> None:
    async with served(make_world(file_tools(), behaviours={READ: RAW})) as endpoint:
        answer = await post(endpoint, "tools/call", {"name": "files__read_file", "arguments": {"path": "x"}})
        result = answer.json()["result"]
        assert result.pop("resultType") == "complete"
        assert result["_meta"].pop("io.modelcontextprotocol/serverInfo")["name"] == "toolrouter"
        assert result == RAW


async def test_a_result_reaches_a_handshake_host_as_it_came() -> None:
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    call = {"name": "files__read_file", "arguments": {"path": "x"}}
    world = make_world(file_tools(), behaviours={READ: RAW})
    async with served(world) as endpoint, httpx2.AsyncClient(headers=headers(endpoint)) as client:
        opening = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
        opened = await client.post(endpoint.url, json=opening)
        client.headers["Mcp-Session-Id"] = opened.headers["mcp-session-id"]
        calling = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call}
        answer = await client.post(endpoint.url, json=calling)
        (data,) = (line for line in answer.text.splitlines() if line.startswith("data:"))
        assert json.loads(data.removeprefix("data:")) == {"jsonrpc": "2.0", "id": 2, "result": RAW}


@asynccontextmanager
async def opened(endpoint: Endpoint, version: str = "2025-11-25", **options: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """A handshake host without any client library between."""
    hello = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    async with httpx2.AsyncClient(headers=headers(endpoint), timeout=60, **options) as client:
        opening = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
        client.headers["Mcp-Session-Id"] = (await client.post(endpoint.url, json=opening)).headers["mcp-session-id"]
        yield client


async def test_a_stream_that_broke_is_taken_up_where_it_ended() -> None:
    released = anyio.Event()

    async def slow(params: JsonObject, on_progress: OnProgress | None) -> JsonObject:
        await released.wait()
        return RAW

    call = {"name": "files__read_file", "arguments": {"path": "x"}}
    calling = {"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": call}
    world = make_world(file_tools(), behaviours={READ: slow})
    async with served(world) as endpoint, opened(endpoint) as client:
        async with client.stream("POST", endpoint.url, json=calling) as answer:
            lines = answer.aiter_lines()
            last_seen = (await anext(lines)).removeprefix("id: ")
            assert await anext(lines) == "retry: 1000"
        released.set()
        resumed = await client.get(endpoint.url, headers={"Last-Event-ID": last_seen})
        (data,) = (line for line in resumed.text.splitlines() if line.startswith("data: {"))
        assert json.loads(data.removeprefix("data: ")) == {"jsonrpc": "2.0", "id": "a", "result": RAW}
        lost = await client.get(endpoint.url, headers={"Last-Event-ID": "99-1"})
        assert lost.status_code == 400


async def test_answers_that_come_all_at_once_all_arrive() -> None:
    calls, waiting, together = MAX_EVENTS + 50, 0, anyio.Event()

    async def wait(params: JsonObject, on_progress: OnProgress | None) -> JsonObject:
        nonlocal waiting
        waiting += 1
        if waiting == calls:
            together.set()
        await together.wait()
        return RAW

    params = {"name": "files__read_file", "arguments": {"path": "x"}}
    answered: list[bool] = []

    async def call(client: httpx2.AsyncClient, url: str, request_id: int) -> None:
        calling = {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}
        answered.append('"result"' in (await client.post(url, json=calling)).text)

    unlimited = httpx2.Limits(max_connections=None)
    world = make_world(file_tools(), behaviours={READ: wait})
    async with served(world) as endpoint, opened(endpoint, limits=unlimited) as client, anyio.create_task_group() as tg:
        for number in range(calls):
            tg.start_soon(call, client, endpoint.url, number + 2)
    assert answered == [True] * calls


async def test_a_result_nested_too_deeply_costs_that_call_alone() -> None:
    nested: JsonObject = {}
    for _ in range(100_000):
        nested = {"a": nested}
    world = make_world(file_tools(), behaviours={READ: {"content": [], "structuredContent": nested}}, exposure="all")
    params = {"name": "files__read_file", "arguments": {"path": "x"}}
    calling = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}
    async with served(world) as endpoint, opened(endpoint) as client:
        assert "cannot be written as JSON" in (await client.post(endpoint.url, json=calling)).text
        assert '"result"' in (await client.post(endpoint.url, json={**calling, "method": "ping"})).text


async def test_a_session_that_broke_is_gone_rather_than_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(message: JsonObject) -> bytes:
        raise RuntimeError

    async with served(make_world(file_tools())) as endpoint, opened(endpoint) as client:
        monkeypatch.setattr(http_streams, "encoded", broken)
        given = {"Content-Type": "application/json"}
        with anyio.fail_after(20):
            await client.post(endpoint.url, content=PING, headers=given)
            assert (await client.post(endpoint.url, content=PING, headers=given)).status_code == 404


PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'


@pytest.mark.parametrize(
    ("method", "body", "more", "status"),
    [
        ("POST", PING, {}, 200),
        ("POST", b'{"jsonrpc":"2.0","method":"notifications/initialized"}', {}, 202),
        ("POST", PING, {"Mcp-Session-Id": "unknown"}, 404),
        ("POST", PING, {"Accept": "application/json"}, 406),
        ("POST", PING, {"Content-Type": "text/plain"}, 400),
        ("POST", b"{oops", {}, 400),
        ("POST", b"[]", {}, 400),
        ("POST", b'{"jsonrpc":"2.0","id":null,"method":"ping"}', {}, 400),
        ("POST", b'{"jsonrpc":"2.0","id":1,"method":"ping","x":"' + b"x" * 70_000 + b'"}', {}, 413),
        ("GET", b"", {"Accept": "application/json"}, 406),
        ("PUT", b"", {}, 405),
        ("DELETE", b"", {}, 200),
    ],
)
async def test_http_itself_answers_what_is_no_message_of_a_session(
    method: str, body: bytes, more: dict[str, str], status: int
) -> None:
    world = make_world(file_tools(), limits={"max_message_bytes": 65_536})
    async with served(world) as endpoint, opened(endpoint) as client:
        given = {"Content-Type": "application/json", **more}
        answer = await client.request(method, endpoint.url, content=body, headers=given)
        assert answer.status_code == status
        if method == "DELETE":
            assert (await client.post(endpoint.url, content=PING, headers=given)).status_code == 404


async def test_hosts_of_the_one_revision_that_has_batches_are_answered_request_by_request() -> None:
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    asked = [note, *({"jsonrpc": "2.0", "id": number, "method": "ping"} for number in (7, "eight"))]
    async with served(make_world(file_tools())) as endpoint:
        async with opened(endpoint, "2025-03-26") as client:
            answer = await client.post(endpoint.url, json=asked)
            said = [json.loads(line[5:]) for line in answer.text.splitlines() if line.startswith("data:")]
            assert (answer.status_code, [each["id"] for each in said]) == (200, [7, "eight"])
            assert (await client.post(endpoint.url, json=[note])).status_code == 202
            assert (await client.post(endpoint.url, json=[])).status_code == 400
        async with opened(endpoint, "2025-06-18") as client:
            assert (await client.post(endpoint.url, json=asked)).status_code == 400


async def test_a_session_begins_with_initialize() -> None:
    async with served(make_world(file_tools())) as endpoint, opened(endpoint) as client:
        del client.headers["Mcp-Session-Id"]
        answer = await client.post(endpoint.url, content=PING, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32600)


async def test_errors_keep_their_code_and_their_data() -> None:
    error = RpcError(-32050, "quota used up", {"retry": 5})
    async with served(make_world(file_tools(), behaviours={READ: error})) as endpoint:
        answer = await post(endpoint, "tools/call", {"name": "files__read_file", "arguments": {"path": "x"}})
        assert answer.json()["error"] == {"code": -32050, "message": "quota used up", "data": {"retry": 5}}
        unknown = await post(endpoint, "tasks/list", {})
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, -32601)


async def test_a_handshake_host_hears_that_the_list_changed() -> None:
    world = make_world(file_tools(), exposure="all")
    heard = anyio.Event()

    async def on_message(message: Any) -> None:
        if getattr(message, "method", "") == "notifications/tools/list_changed":
            heard.set()

    async with served(world) as endpoint, client_of(endpoint, "legacy", message_handler=on_message) as client:
        await client.list_tools()
        with anyio.fail_after(120):
            added = 0
            # The stream for notifications opens some time after the handshake: change until it is heard.
            while not heard.is_set():
                added += 1
                world.show([*file_tools(), make_tool("git", definition(f"git_{added}", "Another."))])
                with anyio.move_on_after(0.2):
                    await heard.wait()


async def test_a_modern_host_hears_of_changes_where_it_listens() -> None:
    world = make_world(file_tools(), exposure="all")
    async with served(world) as endpoint, client_of(endpoint, "2026-07-28") as client:
        await client.list_tools()
        async with client.listen(tools_list_changed=True) as subscription:
            world.show(file_tools()[:1])
            with anyio.fail_after(120):
                async for event in subscription:
                    assert type(event).__name__ == "ToolsListChanged"
                    break


async def test_the_mirrored_headers_of_a_tool_are_checked_against_its_schema() -> None:
    schema = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}
    tool = make_tool("cloud", definition("start", "Start.", schema))
    world = make_world([tool], behaviours={("cloud", "start"): {"content": []}}, exposure="all")
    call = {"name": "cloud__start", "arguments": {"region": "eu"}}
    async with served(world) as endpoint:
        assert (await post(endpoint, "tools/call", call)).json()["error"]["code"] == -32020
        assert "result" in (await post(endpoint, "tools/call", call, {"Mcp-Param-Region": "eu"})).json()


@pytest.mark.parametrize("authorization", ["", "Bearer wrong", "Basic {token}", "{token}", "Bearer {token}x"])
async def test_without_the_token_nothing_is_answered(authorization: str) -> None:
    async with served(make_world(file_tools())) as endpoint:
        given = {"Authorization": authorization.format(token=endpoint.token)}
        answer = await post(endpoint, "server/discover", {}, given)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:80"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Host": "localhost:1", "Origin": "http://localhost:3000"}, 200),
        ({"Host": "router.example", "Origin": "https://app.example"}, 200),
    ],
)
async def test_only_names_and_origins_of_ours_get_in(more: dict[str, str], status: int) -> None:
    http = {"allowed_hosts": ["router.example"], "allowed_origins": ["https://app.example"]}
    async with served(make_world(file_tools(), http=http)) as endpoint:
        assert (await post(endpoint, "server/discover", {}, more)).status_code == status


async def test_a_configured_token_is_used_and_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    async with served(make_world(file_tools(), http={"token": "of-the-user"})) as endpoint:
        assert endpoint.token == "of-the-user"
        shown = capsys.readouterr()
        assert endpoint.url in shown.err
        assert "of-the-user" not in shown.err
        assert shown.out == ""


async def test_an_address_open_to_others_demands_a_configured_token() -> None:
    with pytest.raises(ConfigError, match=r"toolrouter\.http\.token"):
        await serve_http(make_world(file_tools()).router, "0.0.0.0", 0)


async def test_a_port_in_use_is_named() -> None:
    async with served(make_world(file_tools())) as endpoint:
        port = int(endpoint.url.rsplit(":", 1)[1].split("/")[0])
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port}"):
            await serve_http(make_world(file_tools()).router, "127.0.0.1", port)


async def test_an_open_listening_stream_does_not_hold_up_the_end() -> None:
    listening = anyio.Event()

    async def listen(endpoint: Endpoint) -> None:
        params = {"notifications": {"toolsListChanged": True}, "_meta": ENVELOPE}
        body = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params}
        routing = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "subscriptions/listen"}
        async with (
            httpx2.AsyncClient(headers=headers(endpoint, routing)) as client,
            client.stream("POST", endpoint.url, json=body) as answer,
        ):
            with suppress(httpx2.HTTPError):
                async for line in answer.aiter_lines():
                    if "acknowledged" in line:
                        listening.set()

    world = make_world(file_tools(), exposure="all")
    with anyio.fail_after(120):
        async with anyio.create_task_group() as hosts, anyio.create_task_group() as tasks:
            hosts.start_soon(listen, await tasks.start(serve_http, world.router, "127.0.0.1", 0))
            await listening.wait()
            tasks.cancel_scope.cancel()

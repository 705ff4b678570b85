from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from tests.upstream.stubs import BESIDE_SDK_SERVERS, fleet_of, limits, text
from toolrouter.config import UpstreamSpec
from toolrouter.errors import RpcError, UpstreamError, UpstreamTimeout
from toolrouter.types import JsonObject
from toolrouter.upstream import lister
from toolrouter.upstream.connect import connect
from toolrouter.upstream.listing import list_upstream

pytestmark = BESIDE_SDK_SERVERS

http_servers = pytest.importorskip("tests.upstreams_stub.http_servers")


@pytest.mark.parametrize("era_hint", ["", "2025-11-25"])
async def test_streamable_http_is_reached_in_both_eras(era_hint: str) -> None:
    with anyio.fail_after(120):
        async with http_servers.serving(http_servers.streamable_app()) as url:
            spec = UpstreamSpec(url=f"{url}/mcp")
            async with connect("r", spec, limits(), era_hint=era_hint) as connection:
                assert connection.server.protocol_version == (era_hint or "2026-07-28")
                assert connection.server.instructions == "Far away."
                listing = await list_upstream(connection, limits())
                assert [tool["name"] for tool in listing.tools] == ["echo", "region"]
                result = await connection.request("tools/call", {"name": "echo", "arguments": {"a": 1}}, timeout_s=60)
                assert text(result) == "echo {'a': 1}"
                big = {"name": "echo", "arguments": {"size": 2_000_000}}
                assert len(text(await connection.request("tools/call", big, timeout_s=60))) == 2_000_000


@pytest.mark.parametrize("kind", ["sse", None])
async def test_legacy_sse_is_reached_also_when_the_type_is_left_out(kind: str | None) -> None:
    with anyio.fail_after(120):
        async with (
            http_servers.serving(http_servers.sse_app()) as url,
            connect("r", UpstreamSpec(url=f"{url}/sse", type=kind), limits()) as connection,
        ):
            assert connection.server.protocol_version == "2025-11-25"
            big = {"name": "echo", "arguments": {"size": 2_000_000}}
            assert len(text(await connection.request("tools/call", big, timeout_s=60))) == 2_000_000


async def test_an_argument_is_mirrored_as_the_header_its_schema_asks_for() -> None:
    seen: list[bytes] = []

    def watching(app: Any) -> Any:
        async def watched(scope: Any, receive: Any, send: Any) -> None:
            seen.extend(value for name, value in scope.get("headers") or [] if name == b"mcp-param-region")
            await app(scope, receive, send)

        return watched

    with anyio.fail_after(120):
        async with (
            http_servers.serving(http_servers.streamable_app(wrap=watching)) as url,
            fleet_of({"r": UpstreamSpec(url=f"{url}/mcp")}) as watched,
        ):
            assert await watched.call("r", "region", where="north")
    assert seen == [b"north"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/nope", "HTTP 404 Not Found"),
        ("/mcp", r"HTTP 401 Unauthorized.*check the server's `headers`"),
    ],
)
async def test_a_refusal_over_http_is_told_in_plain_words(path: str, words: str) -> None:
    app = http_servers.streamable_app()
    guarded = http_servers.requiring("authorization", "Bearer right")(app) if path == "/mcp" else app
    with anyio.fail_after(120):
        async with http_servers.serving(guarded) as url:
            with pytest.raises(UpstreamError, match=words):
                async with connect("r", UpstreamSpec(url=url + path), limits()):
                    pass


async def test_headers_of_the_configuration_are_sent() -> None:
    guarded = http_servers.requiring("authorization", "Bearer right")(http_servers.streamable_app())
    with anyio.fail_after(120):
        async with http_servers.serving(guarded) as url:
            spec = UpstreamSpec(url=f"{url}/mcp", headers={"Authorization": "Bearer right"})
            async with connect("r", spec, limits()) as connection:
                assert connection.server.version == "3"


@pytest.mark.parametrize("kind", ["http", "sse"])
async def test_an_address_where_nobody_listens_is_an_error(kind: str) -> None:
    with anyio.fail_after(120), pytest.raises(UpstreamError, match="All connection attempts failed"):
        async with connect("r", UpstreamSpec(url="http://127.0.0.1:9/mcp", type=kind), limits()):
            pass


async def test_a_lost_session_is_opened_again_and_the_call_repeated() -> None:
    lost: list[bool] = []

    def forgetful(app: Any) -> Any:
        """Answers one call as if the session were unknown, as a restarted server does."""

        async def forgetting(scope: Any, receive: Any, send: Any) -> None:
            headers = dict(scope.get("headers") or [])
            if lost == [False] and b"mcp-session-id" in headers and scope["method"] == "POST":
                lost[0] = True
                await http_servers.JSONResponse({"detail": "no such session"}, status_code=404)(scope, receive, send)
            else:
                await app(scope, receive, send)

        return forgetting

    with anyio.fail_after(120):
        async with http_servers.serving(http_servers.streamable_app(wrap=forgetful)) as url:
            spec = UpstreamSpec(url=f"{url}/mcp")
            async with fleet_of({"r": spec}, seconds=25) as watched:
                watched.fleet._keeper("r")._known.era_hint = "2025-11-25"
                assert await watched.call("r", "echo") == "echo {}"
                lost.append(False)
                assert await watched.call("r", "echo") == "echo {}"
                assert lost == [True]


@pytest.mark.parametrize("era_hint", ["", "2025-11-25"])
async def test_progress_and_time_limits_hold_over_http(era_hint: str) -> None:
    heard: list[JsonObject] = []

    async def on_progress(params: JsonObject) -> None:
        heard.append(params)

    with anyio.fail_after(120):
        async with (
            http_servers.serving(http_servers.streamable_app()) as url,
            connect("r", UpstreamSpec(url=f"{url}/mcp"), limits(), era_hint=era_hint) as connection,
        ):
            slow = {"name": "slow", "arguments": {"seconds": 60}}
            with pytest.raises(UpstreamTimeout):
                await connection.request("tools/call", slow, timeout_s=0.3, on_progress=on_progress)
            assert [params["message"] for params in heard] == ["half"]
            assert text(await connection.request("tools/call", {"name": "echo"}, timeout_s=60)) == "echo {}"


async def test_a_session_is_ended_when_the_connection_is_left() -> None:
    seen: list[str] = []

    def watching(app: Any) -> Any:
        async def watched(scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope.get("method", ""))
            await app(scope, receive, send)

        return watched

    with anyio.fail_after(120):
        async with http_servers.serving(http_servers.streamable_app(wrap=watching)) as url:
            async with connect("r", UpstreamSpec(url=f"{url}/mcp"), limits(), era_hint="2025-11-25"):
                pass
            assert "DELETE" in seen


async def test_changes_are_heard_over_a_subscription(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lister, "INTERVAL_S", 0.1)
    bus = http_servers.InMemorySubscriptionBus()
    with anyio.fail_after(120):
        async with (
            http_servers.serving(http_servers.streamable_app(bus=bus)) as url,
            fleet_of({"r": UpstreamSpec(url=f"{url}/mcp")}) as watched,
        ):
            await watched.call("r", "echo")
            await publish_until(bus, lambda: len(watched.listings) >= 2)


async def publish_until(bus: Any, condition: Callable[[], bool]) -> None:
    from mcp.shared.subscriptions import ToolsListChanged

    while not condition():
        await bus.publish(ToolsListChanged())
        await anyio.sleep(0.05)


async def test_an_error_of_the_server_passes_through_http() -> None:
    with anyio.fail_after(120):
        async with (
            http_servers.serving(http_servers.streamable_app()) as url,
            connect("r", UpstreamSpec(url=f"{url}/mcp"), limits()) as connection,
        ):
            with pytest.raises(RpcError) as caught:
                await connection.request("no/such", None, timeout_s=60)
            assert caught.value.code == -32601

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest

from tests.upstream.stubs import fleet_of, limits, stub, text
from toolrouter.config import Limits, UpstreamSpec
from toolrouter.errors import RpcError, UpstreamError, UpstreamTimeout
from toolrouter.types import JsonObject
from toolrouter.upstream import negotiate
from toolrouter.upstream.connect import connect, launch_hash
from toolrouter.upstream.connection import ReverseHandlers
from toolrouter.upstream.listing import list_upstream
from toolrouter.wire.jsonrpc import Inbound

pytestmark = pytest.mark.anyio


async def version_of(spec: UpstreamSpec, era_hint: str = "") -> str:
    with anyio.fail_after(120):
        async with connect("s", spec, limits(), era_hint=era_hint) as connection:
            result = await connection.request("tools/call", {"name": "echo"}, timeout_s=60)
            assert result["x-top"] == {"kept": True}
            return connection.server.protocol_version


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
async def test_a_handshake_server_is_reached_in_its_version(version: str) -> None:
    assert await version_of(stub(f"version={version}")) == version


async def test_a_server_of_the_new_era_alone_is_reached_whatever_the_hint() -> None:
    assert await version_of(stub("modern")) == "2026-07-28"
    assert await version_of(stub("modern"), era_hint="2025-11-25") == "2026-07-28"


async def test_a_server_that_lost_the_new_era_is_reached_in_the_old_one() -> None:
    assert await version_of(stub(), era_hint="2026-07-28") == "2025-11-25"


async def test_a_server_that_dies_of_the_question_is_started_again() -> None:
    assert await version_of(stub("die-on-discover")) == "2025-11-25"


@pytest.mark.parametrize("fault", ["ignore-unknown", "die-after-discover"])
async def test_a_server_that_leaves_the_question_open_is_asked_the_other_one_too(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(negotiate, "PROBE_S", 0.2)
    assert await version_of(stub(fault)) == "2025-11-25"


@pytest.mark.parametrize(("words", "version"), [(["modern"], "2026-07-28"), ([], "2025-11-25")])
async def test_a_slow_starter_answers_both_questions_and_is_understood(
    words: list[str], version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(negotiate, "PROBE_S", 0.05)
    assert await version_of(stub("sleep=0.4", *words)) == version


async def test_noise_around_the_messages_does_no_harm() -> None:
    assert await version_of(stub("noise")) == "2025-11-25"


async def test_a_server_that_floods_its_output_is_given_up() -> None:
    flood = UpstreamSpec(command=sys.executable, args=("-I", "-S", "-c", "while True: print('y' * 50)"))
    with anyio.fail_after(120), pytest.raises(UpstreamError, match="it floods its output"):
        async with connect("s", flood, limits(stop_timeout_s=0.5)):
            pass


async def test_what_a_server_prints_before_it_gives_up_is_quoted() -> None:
    complaint = UpstreamSpec(
        command=sys.executable, args=("-I", "-S", "-c", "print('set the key first'); raise SystemExit(2)")
    )
    with anyio.fail_after(120), pytest.raises(UpstreamError, match=r"code 2; its last output:\nset the key first"):
        await version_of(complaint)


async def test_a_server_that_exits_is_quoted() -> None:
    with (
        anyio.fail_after(120),
        pytest.raises(UpstreamError, match=r"exited with code 3; its last output:\nError: API_TO"),
    ):
        await version_of(stub("exit"))


async def test_a_server_that_hangs_costs_the_time_limit_and_no_more() -> None:
    started = anyio.current_time()
    with pytest.raises(UpstreamTimeout, match=r"s did not answer within 0\.3 s"):
        async with connect("s", stub("hang"), limits(connect_timeout_s=0.3, stop_timeout_s=0.5)):
            pass
    assert anyio.current_time() - started < Limits().connect_timeout_s


async def test_a_server_that_is_no_mcp_server_is_an_error() -> None:
    echo = UpstreamSpec(command=sys.executable, args=("-I", "-S", "-c", "print('hello')"))
    with anyio.fail_after(120), pytest.raises(UpstreamError, match="exited with code 0"):
        await version_of(echo)


async def test_what_the_server_says_about_itself_is_kept() -> None:
    async with connect("s", stub(), limits()) as connection:
        server = connection.server
    assert (server.alias, server.title, server.version) == ("s", "The stub", "1.2.3")
    assert server.instructions == "Be kind."
    assert server.capabilities == {"tools": {"listChanged": True}}


async def test_each_era_gets_its_own_envelope() -> None:
    meta = {"io.modelcontextprotocol/protocolVersion": "x", "io.modelcontextprotocol/logLevel": "info", "trace": "t"}
    params: JsonObject = {"name": "echo", "_meta": meta}
    async with connect("s", stub(), limits()) as connection:
        seen = text(await connection.request("tools/call", params, timeout_s=60))
    assert seen == '{"name": "echo", "_meta": {"trace": "t"}}'
    handlers = ReverseHandlers({"sampling": {}})
    async with connect("s", stub("modern"), limits(), handlers=handlers) as connection:
        seen = text(await connection.request("tools/call", params, timeout_s=60, meta={"more": 1}))
    assert '"io.modelcontextprotocol/protocolVersion": "2026-07-28"' in seen
    assert '"io.modelcontextprotocol/clientCapabilities": {"sampling": {}}' in seen
    assert '"io.modelcontextprotocol/logLevel": "info"' in seen
    assert '"more": 1' in seen
    assert meta["io.modelcontextprotocol/protocolVersion"] == "x"


async def test_questions_of_the_server_are_refused_unless_somebody_serves_them() -> None:
    async with connect("s", stub("ask"), limits()) as connection:
        answers = (await connection.request("stub/answers", {}, timeout_s=60))["answers"]
    by_id = {answer["id"]: answer for answer in answers}
    assert by_id["q1"]["result"] == {}
    assert by_id["q2"]["error"] == {"code": -32601, "message": "toolrouter does not serve roots/list"}
    assert by_id["q3"]["error"]["code"] == -32601


async def test_questions_of_the_server_reach_who_serves_them() -> None:
    async def roots(method: str, _params: JsonObject, _inbound: Inbound) -> JsonObject:
        return {"asked": method}

    async with connect("s", stub("ask"), limits(), handlers=ReverseHandlers({"roots": {}}, roots)) as connection:
        answers = (await connection.request("stub/answers", {}, timeout_s=60))["answers"]
    assert {"jsonrpc": "2.0", "id": "q2", "result": {"asked": "roots/list"}} in answers


async def test_an_answer_that_json_cannot_say_costs_that_question_alone() -> None:
    nested: JsonObject = {}
    for _ in range(100_000):
        nested = {"a": nested}

    async def roots(method: str, _params: JsonObject, _inbound: Inbound) -> JsonObject:
        return nested

    async with connect("s", stub("ask"), limits(), handlers=ReverseHandlers({"roots": {}}, roots)) as connection:
        answers = (await connection.request("stub/answers", {}, timeout_s=60))["answers"]
    assert [answer["error"]["code"] for answer in answers if answer["id"] == "q2"] == [-32603]


@pytest.mark.parametrize("size", [500_000, 8_000_000])
async def test_a_huge_answer_on_one_line_arrives_whole(size: int) -> None:
    with anyio.fail_after(120):
        async with connect("s", stub(), limits()) as connection:
            params = {"name": "big", "arguments": {"size": size}}
            assert len(text(await connection.request("tools/call", params, timeout_s=60))) == size


async def test_an_answer_over_the_limit_ends_its_call_alone_and_at_once() -> None:
    with anyio.fail_after(120):
        async with connect("s", stub(), limits(max_message_bytes=2**16)) as connection:
            with pytest.raises(UpstreamError, match="over the limit of 65,536"):
                await connection.request("tools/call", {"name": "big", "arguments": {"size": 10**6}}, timeout_s=90)
            assert await connection.request("tools/call", {"name": "echo"}, timeout_s=60)


async def test_errors_of_the_server_pass_through() -> None:
    async with connect("s", stub(), limits()) as connection:
        with pytest.raises(RpcError, match="Method not found") as caught:
            await connection.request("no/such", None, timeout_s=60)
    assert caught.value.code == -32601


async def test_pages_are_read_to_the_end_and_extras_never_cost_the_tools() -> None:
    async with connect("s", stub("pages", "prompts"), limits()) as connection:
        listing = await list_upstream(connection, limits(), launch_hash="h")
    assert [tool["name"] for tool in listing.tools] == ["echo", "pid", "die", "slow", "big", "count"]
    assert list(listing.prompts) == [{"name": "greet"}]
    assert not listing.resources
    assert listing.server.launch_hash == "h"
    assert not listing.refused


@pytest.mark.parametrize(
    ("fault", "served", "reason"),
    [
        ("endless", 20, "tools/list has more than 20 pages"),
        ("same-cursor", 2, "tools/list came back to a page that it had already sent"),
    ],
)
async def test_endless_pages_end_with_a_reason(fault: str, served: int, reason: str) -> None:
    with anyio.fail_after(120):
        async with connect("s", stub(fault), limits()) as connection:
            listing = await list_upstream(connection, limits(max_pages=20))
    assert len(listing.tools) == served
    assert [refusal.reason for refusal in listing.refused] == [reason]


async def test_too_many_tools_are_cut_with_a_reason() -> None:
    async with connect("s", stub("endless"), limits()) as connection:
        listing = await list_upstream(connection, limits(max_tools_per_server=7))
    assert len(listing.tools) == 7
    assert "only the first 7 are taken" in listing.refused[0].reason


async def test_pages_that_never_end_and_are_large_are_given_up_and_the_last_good_listing_stays(tmp_path: Path) -> None:
    grown = tmp_path / "grown"
    async with fleet_of({"s": stub(f"heavy-while={grown}")}, max_message_bytes=2**16, seconds=60) as watched:
        await watched.fleet.refresh(["s"])
        grown.touch()
        await watched.fleet.refresh(["s"])
        assert len(watched.listings) == 1, "a part of a listing is none"
        assert watched.fleet.state("s").error == (
            "s answers tools/list with more than 65,536 bytes and goes on: what it listed before stays. "
            "If you trust it with more memory, raise `limits.max_message_bytes`"
        )
        assert await watched.call("s", "count") == "1"
        grown.unlink()
        await watched.fleet.refresh(["s"])
        assert (len(watched.listings), watched.fleet.state("s").error) == (2, "")


async def test_malformed_tools_cost_only_themselves() -> None:
    async with connect("s", stub("malformed", "modern"), limits()) as connection:
        listing = await list_upstream(connection, limits())
    assert [tool["name"] for tool in listing.tools] == ["good", "no_schema", "no_type", "last"]
    assert listing.tools[0]["x-vendor"] == {"kept": True}
    assert len(listing.refused) == 11


def test_the_launch_hash_depends_on_the_launch_and_not_on_secrets() -> None:
    spec = UpstreamSpec(command="c", args=("a",), env={"TOKEN": "one"})
    assert launch_hash(spec) == launch_hash(spec.model_copy(update={"env": {"TOKEN": "two"}}))
    for change in ({"args": ("b",)}, {"env": {"OTHER": "one"}}, {"cwd": "/"}, {"command": "d"}):
        assert launch_hash(spec) != launch_hash(spec.model_copy(update=change))


@pytest.mark.parametrize(
    ("program", "name"), [("mcp-server-time", "get_current_time"), ("mcp-server-git", "git_status")]
)
async def test_real_servers_are_reached_in_the_new_era(program: str, name: str) -> None:
    path = Path(sys.executable).with_name(program)
    if not path.exists():
        pytest.skip(f"{program} is not installed")
    with anyio.fail_after(120):
        async with connect("s", UpstreamSpec(command=str(path)), limits(connect_timeout_s=50)) as connection:
            listing = await list_upstream(connection, limits(list_timeout_s=50))
    assert name in [tool["name"] for tool in listing.tools]
    assert listing.server.protocol_version == "2026-07-28"

"""Whatever a host or a model sends is answered: with a result, or with an error object of the protocol."""

from __future__ import annotations

from typing import Any

import anyio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes import file_tools, make_world
from tests.server.hosts import Host, connected
from toolrouter.errors import RpcError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["search_tools", "describe_tools", "call_tool", "call_read_tool", "files__read_file", "nope"])
KEYS = st.sampled_from(
    ["query", "queries", "limit", "servers", "detail", "names", "name", "arguments", "path", "depth"]
)
VALUES = JSON | NAMES | st.lists(NAMES, max_size=3)
METHODS = st.sampled_from(["initialize", "ping", "tools/list", "tools/call", "server/discover", "no/such"])


PARAMS = st.dictionaries(st.sampled_from(["name", "arguments", "cursor", "protocolVersion"]), JSON)
CALLS = st.fixed_dictionaries({"name": NAMES, "arguments": st.dictionaries(KEYS, VALUES, max_size=4)})
REQUESTS = st.tuples(METHODS, PARAMS) | st.tuples(st.just("tools/call"), CALLS)


async def answer_of(host: Host, method: str, params: dict[str, Any]) -> object:
    try:
        return await host.ask(method, params)
    except RpcError as error:
        return error.code


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(REQUESTS, min_size=20, max_size=40))
def test_every_request_is_answered_with_a_result_or_an_error_of_the_protocol(requests: list[Any]) -> None:
    async def ask_all() -> None:
        async with connected(make_world(file_tools(), behaviours={("files", "read_file"): {"content": []}})) as host:
            await host.initialize()
            for method, params in requests:
                answer = await answer_of(host, method, params)
                assert isinstance(answer, dict) or answer in {-32600, -32601, -32602}

    anyio.run(ask_all)

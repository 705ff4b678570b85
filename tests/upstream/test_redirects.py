"""A remote server may not send us, or our headers, anywhere else."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from tests.upstream.stubs import BESIDE_SDK_SERVERS, limits
from toolrouter.config import UpstreamSpec
from toolrouter.errors import UpstreamError
from toolrouter.upstream.connect import connect

pytestmark = BESIDE_SDK_SERVERS

http_servers = pytest.importorskip("tests.upstreams_stub.http_servers")
METADATA = "http://169.254.169.254/latest/meta-data/"


def redirecting(target: str, status: int) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = [(b"location", target.encode())]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": b""})

    return app


def recording(heard: list[Any]) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            heard.append(scope["headers"])
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    return app


@pytest.mark.parametrize("kind", ["http", "sse"])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_to_another_host_is_not_followed(kind: str, status: int) -> None:
    heard: list[Any] = []
    with anyio.fail_after(120):
        async with http_servers.serving(recording(heard)) as other:
            for target in (f"{other}/mcp", METADATA):
                async with http_servers.serving(redirecting(target, status)) as url:
                    spec = UpstreamSpec(url=f"{url}/mcp", type=kind, headers={"Authorization": "Bearer secret"})
                    with pytest.raises(UpstreamError):
                        async with connect("r", spec, limits()):
                            pass
    assert heard == []

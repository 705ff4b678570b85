"""Adds the bearer token to each request: `python -m tests.conformance.door PORT URL TOKEN`."""

from __future__ import annotations

import sys
from typing import Any

import httpx
import uvicorn

NOT_FORWARDED = {b"authorization", b"transfer-encoding", b"connection", b"content-length"}


def make_app(url: str, token: str) -> Any:
    client = httpx.AsyncClient(base_url=url, timeout=None, limits=httpx.Limits(max_connections=None))
    port = url.rpartition(":")[2]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = [pair for pair in scope["headers"] if pair[0] not in NOT_FORWARDED | {b"host"}]
        host = dict(scope["headers"]).get(b"host", b"").decode()
        name = host.rpartition(":")[0] or host
        headers += [(b"authorization", f"Bearer {token}".encode()), (b"host", f"{name}:{port}".encode())]
        request = client.build_request(scope["method"], scope["path"], headers=headers, content=body)
        response = await client.send(request, stream=True)
        try:
            kept = [pair for pair in response.headers.raw if pair[0].lower() not in NOT_FORWARDED]
            await send({"type": "http.response.start", "status": response.status_code, "headers": kept})
            async for chunk in response.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await response.aclose()

    return app


if __name__ == "__main__":
    uvicorn.run(
        make_app(sys.argv[2], sys.argv[3]),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="error",
        timeout_graceful_shutdown=1,
    )

"""The HTTP client of the remote transports: failures become words, and stay with the request that failed."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

import httpx2

from toolrouter.errors import LOGIN_NEEDED, NAME_UNKNOWN
from toolrouter.types import JsonObject
from toolrouter.upstream.carrier import FAILURE_KEY, LOGIN, NO_CONNECTION
from toolrouter.wire.jsonrpc import METHOD_NOT_FOUND

if TYPE_CHECKING:
    from toolrouter.upstream.oauth import LoginAuth

UNREACHABLE = -32000
"""Our code for a request that HTTP itself did not get answered; `data` says how (see `carrier.failure_of`)."""

UNANSWERED_S = 30.0
"""How long a server may take to accept what it has no answer to give to."""
SHOWN_BODY_CHARS = 200
READ_ERROR_BODY_BYTES = 64 * 1024
KEEPALIVE_S = 4.0  # below the five seconds after which common servers close an idle connection


class HttpClient(httpx2.AsyncClient):
    """Turns a POST that fails into a JSON-RPC error for that request alone, in words a person can act on.

    So both transports read failures where they read answers.
    """

    def __init__(self, headers: Mapping[str, str], login: LoginAuth | None = None) -> None:
        """`login`: sends a stored login along, unless `headers` has one."""
        super().__init__(
            auth=login,
            headers={"user-agent": "toolrouter", **headers},
            # No read limit: streams stay open for hours, and every request has its own time limit above.
            timeout=httpx2.Timeout(30, read=None),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=KEEPALIVE_S),
        )
        self._login = login

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        if request.method != "POST":
            return await super().send(request, **options)
        try:
            response = await super().send(request, **options)
        except httpx2.TransportError as error:
            return _failed(request, 502, NO_CONNECTION, _why_unreachable(request, error))
        if response.status_code >= 400:
            return await self._spelled_out(request, response)
        return response

    def login_words(self, response: httpx2.Response) -> str:
        """What to do about a refusal that a login would mend; else empty."""
        return self._login.explain(response) if self._login and response.status_code in {401, 403} else ""

    async def _spelled_out(self, request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        body = await head_of(response)
        code = _rpc_error_code(body)
        expired = "mcp-session-id" in request.headers and _is_unknown_session(response.status_code, code, body)
        if code is not None and response.status_code not in {401, 403} and not expired:
            return httpx2.Response(response.status_code, headers=_JSON, content=body, request=request)
        said = body.decode(errors="replace").strip()[:SHOWN_BODY_CHARS]
        words = f"HTTP {response.status_code} {response.reason_phrase}" + (f": {said}" if said else "")
        if response.status_code in {401, 403}:
            if login := self.login_words(response):
                return _failed(request, response.status_code, LOGIN if LOGIN_NEEDED in login else "refused", login)
            words += " (check the server's `headers`)"
        return _failed(request, response.status_code, "expired" if expired else "refused", words)


def failure(kind: str, words: str, status: int) -> JsonObject:
    """The JSON-RPC error for a request that failed on its way (see `carrier.failure_of`)."""
    return {"code": UNREACHABLE, "message": words, "data": {FAILURE_KEY: kind, "status": status}}


def _why_unreachable(request: httpx2.Request, error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, socket.gaierror):
        cause = cause.__cause__ or cause.__context__
    if cause is not None:
        advice = "Check the spelling in `url`, and that this machine has a network (VPN)."
        return f"the name {request.url.host} {NAME_UNKNOWN}. {advice}"
    return f"{_origin(request)} cannot be reached: {str(error) or type(error).__name__}"


def _failed(request: httpx2.Request, status: int, kind: str, words: str) -> httpx2.Response:
    content = json.dumps({"jsonrpc": "2.0", "id": None, "error": failure(kind, words, status)}).encode()
    return httpx2.Response(status, headers=_JSON, content=content, request=request)


_JSON = {"content-type": "application/json"}
_OF_THE_TRANSPORT = {None, -32000, -32001, -32600}


async def read_body(response: httpx2.Response, max_bytes: int) -> bytes:
    """The whole body, decompressed. Raises StreamError where it is over the limit or breaks off."""
    parts, size = [], 0
    try:
        async for part in response.aiter_bytes():
            size += len(part)
            if size > max_bytes:
                raise httpx2.StreamError(f"the answer is over the limit of {max_bytes:,} bytes")
            parts.append(part)
    except httpx2.TransportError as error:
        raise httpx2.StreamError(f"the answer broke off: {error}") from error
    return b"".join(parts)


def events_of(response: httpx2.Response, max_bytes: int) -> AsyncIterator[httpx2.ServerSentEvent]:
    """The events of a stream, which is UTF-8 whatever its header says and may begin with a byte order mark."""
    response.encoding = "utf-8-sig"
    return aiter(httpx2.EventSource(response, max_event_size=max_bytes))


async def head_of(response: httpx2.Response) -> bytes:
    """The beginning of the body, with the rest left unread; empty where it cannot be read."""
    body = b""
    try:
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) >= READ_ERROR_BODY_BYTES:
                break
    except (httpx2.TransportError, httpx2.StreamError, httpx2.DecodingError):
        pass
    await response.aclose()
    return body


def _is_unknown_session(status: int, code: int | None, body: bytes) -> bool:
    """Servers of before 404 was agreed on refuse a session of before their restart with 400, in these words."""
    if status == 404:
        return code != METHOD_NOT_FOUND
    return status == 400 and code in _OF_THE_TRANSPORT and b"session id" in body.lower()


def _rpc_error_code(body: bytes) -> int | None:
    try:
        code = json.loads(body)["error"]["code"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return code if isinstance(code, int) else None


def _origin(request: httpx2.Request) -> str:
    return str(request.url.copy_with(userinfo=b"", query=None, fragment=None))


def describe(response: httpx2.Response) -> str:
    """What went wrong, in the words that `HttpClient` has put into a failed response."""
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, LookupError, TypeError, httpx2.ResponseNotRead):
        return f"HTTP {response.status_code} {response.reason_phrase}"

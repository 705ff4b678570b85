"""Logs a person in to a remote server: discovery, registration, the browser, tokens. The SDK leads the conversation.

Only `toolrouter login` comes here; serving never does.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2
from pydantic import ValidationError

from toolrouter import __version__
from toolrouter.config import OAuthSettings, UpstreamSpec
from toolrouter.errors import StoreError, UpstreamError
from toolrouter.types import JsonObject
from toolrouter.upstream.oauth import ask_issuer, granted
from toolrouter.upstream.oauth_loopback import Loopback, open_loopback
from toolrouter.upstream.oauth_store import Login, LoginStore
from toolrouter.upstream.reach import reaching

Show = Callable[[str], Awaitable[None]]
"""Takes the address that a browser must open."""

REQUEST_TIMEOUT_S = 30.0
REVOKE_TIMEOUT_S = 10.0
PATIENCE_S = 300.0
_LOCAL = ("127.0.0.1", "localhost", "::1")
_SDK_LOG = "mcp.client.auth.oauth2"


class _Memory:
    """What the SDK wants to keep during one login."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.tokens: Any = None

    async def get_tokens(self) -> Any:
        return None

    async def set_tokens(self, tokens: Any) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> Any:
        return self.client

    async def set_client_info(self, client_info: Any) -> None:
        self.client = client_info


async def log_in(
    store: LoginStore, spec: UpstreamSpec, settings: OAuthSettings, show: Show, *, timeout_s: float = PATIENCE_S
) -> bool:
    """Returns whether the login's secrets are in the keyring; else they are in a file.

    Raises:
        UpstreamError: the server wants no login, the person said no, or something on the way went wrong.
    """
    _refuse_plain_http(store, store.url)
    earlier = await anyio.to_thread.run_sync(_earlier, store)
    with _in_words(store.alias):
        async with open_loopback(_ports(settings, earlier)) as loopback:
            memory = _Memory(_client(settings, earlier, loopback))
            provider = _provider(store.url, settings, memory, _Person(show, loopback, timeout_s))
            answer = await _knock(spec, store.url, provider)
        if memory.tokens is None:
            raise UpstreamError(store.alias, _why_no_login(store.alias, answer.status_code))
    login = _login(provider, memory)
    _refuse_plain_http(store, login.token_endpoint)
    async with store.locked():
        return await anyio.to_thread.run_sync(store.write, login)


def _why_no_login(alias: str, status: int) -> str:
    if status < 400:
        return f"{alias} asks for no login (HTTP {status})."
    return f"{alias} answered HTTP {status} instead of asking for a login; check its `url`, or try again later."


def _earlier(store: LoginStore) -> Login | None:
    try:
        return store.read()
    except StoreError:
        return None  # it is replaced now


def _refuse_plain_http(store: LoginStore, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _LOCAL:
        raise UpstreamError(store.alias, f"{store.alias}: {url} is not https; a login would be sent in the clear.")


def _ports(settings: OAuthSettings, earlier: Login | None) -> list[int]:
    """That of the earlier registration if possible, for issuers compare the redirect address."""
    return [settings.redirect_port] if settings.redirect_port else [_port_of(earlier), 0]


def _port_of(earlier: Login | None) -> int:
    redirects = (earlier.client.get("redirect_uris") if earlier else None) or [""]
    return urlsplit(str(redirects[0])).port or 0


class _Person:
    """The person in front of the browser."""

    def __init__(self, show: Show, loopback: Loopback, timeout_s: float) -> None:
        self._show = show
        self.loopback = loopback
        self._timeout_s = timeout_s

    async def show(self, url: str) -> None:
        """Has the browser opened: with nothing that is no web page, nor one in the clear."""
        parts = urlsplit(url)
        if parts.scheme != "https" and (parts.scheme != "http" or parts.hostname not in _LOCAL):
            raise _Refused("the address to log in at is not https")
        self.loopback.state = parse_qs(parts.query).get("state", [""])[0]
        await self._show(url)

    async def answer(self) -> Any:
        from mcp.shared.auth import AuthorizationCodeResult

        try:
            said = await self.loopback.wait(self._timeout_s)
        except TimeoutError as error:
            raise _Refused(f"nobody logged in within {self._timeout_s:g} s; run it again") from error
        if "error" in said:
            raise _Refused(f"the login was refused: {said.get('error_description') or said['error']}")
        return AuthorizationCodeResult(code=said["code"], state=said.get("state"), iss=said.get("iss"))


class _Refused(Exception):
    """The person, or the issuer in the browser, said no."""


def _client(settings: OAuthSettings, earlier: Login | None, loopback: Loopback) -> Any:
    """The registration to use: the configured one, else the earlier one; None to get one."""
    from mcp.shared.auth import OAuthClientInformationFull

    if settings.client_id:
        known: JsonObject = {"client_id": settings.client_id, "redirect_uris": [loopback.url]}
        if settings.client_secret:
            known |= {"client_secret": settings.client_secret, "token_endpoint_auth_method": "client_secret_post"}
        return OAuthClientInformationFull.model_validate(known)
    if earlier is None or loopback.url not in (earlier.client.get("redirect_uris") or ()):
        return None
    return OAuthClientInformationFull.model_validate(earlier.client)


def _provider(url: str, settings: OAuthSettings, memory: _Memory, person: _Person) -> Any:
    from mcp.client.auth import OAuthClientProvider
    from mcp.shared.auth import OAuthClientMetadata

    class Provider(OAuthClientProvider):
        async def _perform_authorization_code_grant(self) -> tuple[str, str]:
            _require_pkce(self.context.oauth_metadata)
            if settings.scope:  # the SDK takes what the server names, whatever it was given
                self.context.client_metadata.scope = settings.scope
            return await super()._perform_authorization_code_grant()

    metadata = OAuthClientMetadata.model_validate(
        {"redirect_uris": [person.loopback.url], "client_name": "toolrouter", "software_version": __version__}
    )
    return Provider(
        url,
        metadata,
        memory,
        redirect_handler=person.show,
        callback_handler=person.answer,
        client_metadata_url=settings.client_metadata_url or None,
    )


async def _knock(spec: UpstreamSpec, url: str, provider: Any) -> httpx2.Response:
    """A first request, which the server answers by asking for a login."""
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "toolrouter", "version": "0"}}
    message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}
    headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25", **spec.headers}
    async with httpx2.AsyncClient(auth=provider, timeout=REQUEST_TIMEOUT_S, transport=reaching(url)) as client:
        if spec.type == "sse":
            sent = client.build_request("GET", url, headers={**headers, "accept": "text/event-stream"})
        else:
            sent = client.build_request("POST", url, headers=headers, json=message)
        response = await client.send(sent, stream=True)  # what it answers in the end is of no interest
        await response.aclose()
        return response


def _login(provider: Any, memory: _Memory) -> Login:
    context = provider.context
    metadata = context.oauth_metadata
    base = context.get_authorization_base_url(context.server_url)
    revocation = getattr(metadata, "revocation_endpoint", None) if metadata else None
    login = Login(
        issuer=str(metadata.issuer) if metadata else base,
        token_endpoint=provider._get_token_endpoint(),
        client=memory.client.model_dump(mode="json", exclude_none=True),
        resource=context.get_resource_url() if context.should_include_resource_param(context.protocol_version) else "",
        revocation_endpoint=str(revocation or ""),
    )
    return granted(login, memory.tokens.model_dump(mode="json", exclude_none=True))


def _require_pkce(metadata: Any) -> None:
    """MCP has clients refuse an issuer that does not name S256, also one that names no method at all."""
    if metadata is None:  # servers of 2025-03-26 have no metadata
        return
    if "S256" not in (metadata.code_challenge_methods_supported or ()):
        raise _Refused(
            f"{metadata.issuer} does not say that it supports PKCE with S256, and without it a login could be stolen. "
            "Its operator can: by `code_challenge_methods_supported` in its metadata. A token in `headers` needs none"
        )


@contextmanager
def _in_words(alias: str) -> Iterator[None]:
    """Whatever ends a login, as one error; the SDK's own log of it, a traceback, is left out."""
    from mcp.client.auth.exceptions import OAuthFlowError

    log = logging.getLogger(_SDK_LOG)
    before, log.disabled = log.disabled, True
    try:
        yield
    except* (_Refused, OAuthFlowError, httpx2.HTTPError, ValidationError, OSError) as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise UpstreamError(alias, f"{alias}: {error or type(error).__name__}") from error
    finally:
        log.disabled = before


async def revoke(login: Login) -> bool:
    """Tells the issuer that the login is over; whether it took note."""
    token = login.refresh_token or login.access_token
    if not login.revocation_endpoint or not token:
        return False
    try:
        with anyio.fail_after(REVOKE_TIMEOUT_S):
            response = await ask_issuer(login, login.revocation_endpoint, {"token": token})
    except (httpx2.HTTPError, TimeoutError):
        return False
    return response.status_code == 200

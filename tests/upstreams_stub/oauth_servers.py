"""A real authorisation server on loopback, the SDK's own handlers over a provider that consents at once, and a
protected MCP server beside it."""

from __future__ import annotations

import secrets
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    AuthorizeError,
    RefreshToken,
    TokenError,
    construct_redirect_uri,
)
from mcp.server.auth.routes import create_auth_routes
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions, RevocationOptions
from mcp.server.mcpserver import MCPServer
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.upstreams_stub.http_servers import make_server, serving


@dataclass
class Issuer:
    """The provider behind the authorisation server, and what happened at it."""

    lifetime_s: int = 3600
    consents: bool = True
    renews: bool = True
    pkce_methods: list[str] | None = field(default_factory=lambda: ["S256"])
    url: str = ""
    clients: dict[str, OAuthClientInformationFull] = field(default_factory=dict)
    codes: dict[str, AuthorizationCode] = field(default_factory=dict)
    access: dict[str, AccessToken] = field(default_factory=dict)
    refresh: dict[str, RefreshToken] = field(default_factory=dict)
    renewals: int = 0
    asked_scopes: list[str] = field(default_factory=list)
    resources: set[str | None] = field(default_factory=set)
    revoked: list[str] = field(default_factory=list)
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Client-id metadata documents by address: what it would fetch from there."""

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        if client_id in self.documents:
            return OAuthClientInformationFull.model_validate({"client_id": client_id, **self.documents[client_id]})
        return self.clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        self.clients[client_info.client_id] = client_info

    async def authorize(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        if not self.consents:
            raise AuthorizeError("access_denied", "The person said no.")
        self.asked_scopes = params.scopes or []
        self.resources.add(params.resource)
        code = AuthorizationCode(
            code=secrets.token_hex(20),
            scopes=params.scopes or [],
            expires_at=time.time() + 60,
            client_id=client.client_id,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
        )
        self.codes[code.code] = code
        return construct_redirect_uri(str(params.redirect_uri), code=code.code, state=params.state)

    async def load_authorization_code(self, _client: Any, code: str) -> AuthorizationCode | None:
        return self.codes.get(code)

    async def exchange_authorization_code(self, client: Any, code: AuthorizationCode) -> OAuthToken:
        del self.codes[code.code]
        return self._grant(client.client_id, code.scopes, code.resource)

    async def load_refresh_token(self, _client: Any, token: str) -> RefreshToken | None:
        return self.refresh.get(token)

    async def exchange_refresh_token(self, client: Any, token: RefreshToken, scopes: list[str]) -> OAuthToken:
        if not self.renews:
            raise TokenError("invalid_grant", "Gone.")
        del self.refresh[token.token]  # each is good once: a second renewal with it would end the login
        self.renewals += 1
        return self._grant(client.client_id, scopes or token.scopes, token.resource)

    async def load_access_token(self, token: str) -> AccessToken | None:
        return self.access.get(token)

    async def verify_token(self, token: str) -> AccessToken | None:
        return self.access.get(token)

    async def revoke_token(self, token: AccessToken | RefreshToken) -> None:
        self.revoked.append(token.token)
        self.refresh.pop(token.token, None)

    def forget_access_tokens(self) -> None:
        self.access.clear()

    def _grant(self, client_id: str, scopes: list[str], resource: str | None) -> OAuthToken:
        access, refresh = secrets.token_hex(20), secrets.token_hex(20)
        self.access[access] = AccessToken(token=access, client_id=client_id, scopes=scopes, resource=resource)
        self.refresh[refresh] = RefreshToken(token=refresh, client_id=client_id, scopes=scopes, resource=resource)
        return OAuthToken(
            access_token=access, refresh_token=refresh, expires_in=self.lifetime_s, scope=" ".join(scopes)
        )


class Late:
    """An app that is made once its address is known."""

    def __init__(self) -> None:
        self.app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await self.app(scope, receive, send)


@asynccontextmanager
async def protected(issuer: Issuer, *, documents: bool = False, sse: bool = False) -> AsyncIterator[str]:
    """The address of an MCP server that wants a token of `issuer`, which runs at another port.

    `documents`: the issuer takes client-id metadata documents. `sse`: the server speaks legacy SSE.
    """
    issuing, guarding = Late(), Late()
    async with serving(issuing) as issuer_url, serving(guarding) as url:
        issuer.url = f"{issuer_url}/"
        issuing.app = _issuing_app(issuer, documents=documents)
        app = _guarded_sse_app(issuer, url) if sse else _guarded_app(issuer, url)
        guarding.app = app
        async with app.router.lifespan_context(app):
            yield f"{url}/sse" if sse else f"{url}/mcp"


def _issuing_app(issuer: Issuer, *, documents: bool) -> Starlette:
    routes = create_auth_routes(
        issuer,
        AnyHttpUrl(issuer.url),
        client_registration_options=ClientRegistrationOptions(enabled=not documents),
        revocation_options=RevocationOptions(enabled=True),
    )
    if documents or issuer.pkce_methods != ["S256"]:
        metadata = {
            "issuer": issuer.url,
            "authorization_endpoint": f"{issuer.url}authorize",
            "token_endpoint": f"{issuer.url}token",
            "response_types_supported": ["code"],
            "registration_endpoint": f"{issuer.url}register",
            "client_id_metadata_document_supported": documents,
            "code_challenge_methods_supported": issuer.pkce_methods,
        }

        async def describe(_request: Any) -> JSONResponse:
            return JSONResponse(metadata)

        routes.insert(0, Route("/.well-known/oauth-authorization-server", describe))
    return Starlette(routes=routes)


def _guarded_app(issuer: Issuer, url: str) -> Starlette:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_server().streamable_http_app(
            auth=AuthSettings(
                issuer_url=issuer.url,
                resource_server_url=f"{url}/mcp",
                required_scopes=["use"],
                validate_token_resource=True,
            ),
            token_verifier=issuer,
        )


def _guarded_sse_app(issuer: Issuer, url: str) -> Starlette:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = MCPServer(
            "remote",
            auth=AuthSettings(issuer_url=issuer.url, resource_server_url=f"{url}/sse", required_scopes=["use"]),
            token_verifier=issuer,
        )

        @server.tool()
        def echo() -> str:
            return "echo over sse"

        return server.sse_app()


__all__ = ["Issuer", "protected"]

"""Sends a stored login along with requests and renews it in time. Never asks anybody: `toolrouter login` does."""

from __future__ import annotations

import base64
import logging
import re
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio.to_thread
import httpx2

from toolrouter.config import UpstreamSpec
from toolrouter.errors import LOGIN_NEEDED, StoreError
from toolrouter.upstream.oauth_store import Login, LoginStore
from toolrouter.upstream.reach import reaching

logger = logging.getLogger(__name__)

RENEW_TIMEOUT_S = 20.0
_FOR_GOOD = {
    *("invalid_request", "invalid_client", "invalid_grant"),
    *("unauthorized_client", "unsupported_grant_type", "invalid_scope"),
}
"""What issuers refuse with (RFC 6749, 5.2)."""
_FOR_ANOTHER_TIME = {"temporarily_unavailable", "server_error", "slow_down"}
_SCOPES = re.compile(r'scope="([\w.:/*+ -]{1,300})"', re.ASCII)
EARLY_S = 60.0
"""A token is renewed so long before it expires, or after four fifths of a short life."""


def login_needed(alias: str) -> str:
    """What is said of a server that a person has to log in to."""
    return f"{LOGIN_NEEDED} {alias}`"


def auth_for(alias: str, spec: UpstreamSpec, home: Path | None) -> LoginAuth | None:
    """None where logins are not kept, or the config has an Authorization header of its own."""
    if home is None or any(name.lower() == "authorization" for name in spec.headers):
        return None
    return LoginAuth(LoginStore(home, alias, spec.url or ""))


def _more_rights(alias: str, login: Login, challenge: str) -> str:
    """The command is for a person to copy, so no word of the server is in it that a shell would read differently."""
    found = _SCOPES.search(challenge)
    known = login.scope if _SCOPES.fullmatch(f'scope="{login.scope}"') else ""
    scopes = " ".join(dict.fromkeys([*known.split(), *found[1].split()])) if found else ""
    option = f' --scope "{scopes}"' if scopes else " --scope …"
    return f"the login does not cover this; it takes one with more rights, by `toolrouter login {alias}{option}`"


class LoginAuth(httpx2.Auth):
    """Authenticates one server's requests."""

    def __init__(self, store: LoginStore) -> None:
        self._store = store
        self._origin = _origin(httpx2.URL(store.url))
        self._login: Login | None = None
        self._mark: tuple[int, int] | None = None
        self._problem = ""

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        if _origin(request.url) != self._origin:
            yield request
            return
        token = await self._token()
        if token:
            request.headers["authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == 401 and token:
            fresh = await self._token(refused=token)
            if fresh and fresh != token:
                request.headers["authorization"] = f"Bearer {fresh}"
                yield request

    def explain(self, response: httpx2.Response) -> str:
        """Why the server refused, where logging in would help; else empty."""
        challenge = response.headers.get("www-authenticate", "")
        if "insufficient_scope" in challenge and self._login is not None:
            return _more_rights(self._store.alias, self._login, challenge)
        if response.status_code == 403:
            return ""
        if self._problem:
            return self._problem
        known = self._login is not None
        return login_needed(self._store.alias) if known or "bearer" in challenge.lower() else ""

    async def _token(self, *, refused: str = "") -> str:
        """A token that should be good; empty when there is none. `refused`: the server does not take this one."""
        try:
            login = await self._current()
            if login is None:
                self._problem = ""
                return ""
            due = login.renew_at and time.time() >= login.renew_at
            if login.access_token and (due or login.access_token == refused):
                return (await self._renewed(login, refused)).access_token
        except StoreError as error:
            self._problem = str(error)
            logger.warning("%s: %s", self._store.alias, error)
            return ""
        if not refused or login.access_token != refused:
            self._problem = ""
        return login.access_token

    async def _current(self) -> Login | None:
        mark = self._store.mark()
        if mark != self._mark:
            self._login = await anyio.to_thread.run_sync(self._store.read)
            self._mark = mark
        return self._login

    async def _renewed(self, stale: Login, refused: str) -> Login:
        """One renewal however many ask for it, in this process and in others. Raises StoreError."""
        async with self._store.locked():
            login = await self._current()
            if login is None or login.access_token != stale.access_token:
                self._problem = ""
                return login or stale.ended()  # somebody else was faster
            try:
                fresh = await renew(login)
            except httpx2.HTTPError as error:
                self._problem = f"the login could not be renewed at {login.issuer}: {error or type(error).__name__}"
                logger.warning("%s: %s", self._store.alias, self._problem)
                return login if refused != login.access_token else login.ended()
            await anyio.to_thread.run_sync(self._store.write, fresh)
            self._login, self._mark, self._problem = fresh, self._store.mark(), ""
            return fresh


async def renew(login: Login) -> Login:
    """The login with new tokens, or without any when its issuer refuses. Raises httpx2.HTTPError."""
    if not login.refresh_token:
        return login if login.expires_at > time.time() else login.ended()
    form = {"grant_type": "refresh_token", "refresh_token": login.refresh_token}
    if login.resource:
        form["resource"] = login.resource
    response = await ask_issuer(login, login.token_endpoint, form)
    if refusal := _refusal(response):
        logger.info("%s does not renew the login: HTTP %s, %s", login.issuer, response.status_code, refusal)
        return login.ended()
    if not response.is_success:
        raise httpx2.HTTPError(f"HTTP {response.status_code} {response.reason_phrase}")
    try:
        return granted(login, response.json())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise httpx2.HTTPError(f"the answer is no token ({type(error).__name__})") from error


def _refusal(response: httpx2.Response) -> str:
    """Why the issuer will not renew it ever again; empty for an answer that says nothing of the kind.

    A firewall's 403 and a limit's 429 are no such words, in JSON or not: a login is not thrown away for them. Some
    issuers refuse with 200, in words of their own.
    """
    try:
        said = str(response.json().get("error") or "")
    except (ValueError, AttributeError):
        said = ""
    if said in _FOR_GOOD:
        return said if response.status_code < 500 else ""
    if response.status_code in {400, 401} or (response.is_success and said):
        return "" if said in _FOR_ANOTHER_TIME else said or "refused"
    return ""


async def ask_issuer(login: Login, endpoint: str, form: Mapping[str, str]) -> httpx2.Response:
    """Posts a form as our registered client. Raises httpx2.HTTPError."""
    client = login.client
    fields, headers = dict(form), {"accept": "application/json", "user-agent": "toolrouter"}
    client_id, secret = str(client["client_id"]), client.get("client_secret")
    if secret and client.get("token_endpoint_auth_method") == "client_secret_basic":
        pair = f"{quote(client_id, safe='')}:{quote(str(secret), safe='')}"
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    else:
        fields |= {"client_id": client_id, **({"client_secret": str(secret)} if secret else {})}
    async with httpx2.AsyncClient(timeout=RENEW_TIMEOUT_S, transport=reaching(login.resource or login.issuer)) as http:
        return await http.post(endpoint, data=fields, headers=headers)


def granted(login: Login, answer: Mapping[str, Any]) -> Login:
    """The login with the tokens of an issuer's answer; what the answer leaves out stays as it was."""
    now, lifetime_s = time.time(), float(answer.get("expires_in") or 0)
    return replace(
        login,
        access_token=str(answer["access_token"]),
        refresh_token=str(answer.get("refresh_token") or login.refresh_token),
        scope=str(answer.get("scope") or login.scope),
        renew_at=now + lifetime_s - min(EARLY_S, lifetime_s / 5) if lifetime_s else 0.0,
        expires_at=now + lifetime_s if lifetime_s else 0.0,
    )


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return (url.scheme, url.host, url.port)

"""A protected server with its issuer, both real, and a browser that says yes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx2
import pytest

from toolrouter.config import OAuthSettings, UpstreamSpec
from toolrouter.upstream.oauth_login import log_in
from toolrouter.upstream.oauth_store import Login, LoginStore

oauth_servers = pytest.importorskip("tests.upstreams_stub.oauth_servers")
Issuer, protected, serving = oauth_servers.Issuer, oauth_servers.protected, oauth_servers.serving
LOGIN = Login("https://i", "https://i/token", {"client_id": "c", "client_secret": "hush"}, "access", "refresh")
ECHO = {"name": "echo", "arguments": {}}


async def browser(address: str) -> None:
    """Does what a browser does, with a person who says yes."""
    async with httpx2.AsyncClient(follow_redirects=True) as client:
        await client.get(address)


async def nobody(_address: str) -> None:
    return


async def logged_in(
    home: Path,
    url: str,
    *,
    choice: OAuthSettings | None = None,
    show: Callable[[str], Awaitable[None]] = browser,
) -> LoginStore:
    store = LoginStore(home, "r", url)
    await log_in(store, UpstreamSpec(url=url), choice or OAuthSettings(), show, timeout_s=60)
    return store


def stored(store: LoginStore) -> Login:
    login = store.read()
    assert login is not None
    return login

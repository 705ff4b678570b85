"""Logging in: the conversation with a real issuer, and with a person in front of a browser."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import anyio
import httpx2
import pytest

from tests.upstream.logins import (
    ECHO,
    Issuer,
    browser,
    logged_in,
    nobody,
    oauth_servers,
    protected,
    stored,
)
from tests.upstream.stubs import BESIDE_SDK_SERVERS, limits, text
from toolrouter.config import OAuthSettings, UpstreamSpec
from toolrouter.errors import LoginNeeded, UpstreamError
from toolrouter.upstream.connect import connect
from toolrouter.upstream.oauth_login import log_in
from toolrouter.upstream.oauth_store import LoginStore

pytestmark = BESIDE_SDK_SERVERS


async def test_the_registration_is_used_again_by_the_next_login(tmp_path: Path) -> None:
    issuer = Issuer()
    with anyio.fail_after(120):
        async with protected(issuer) as url:
            await logged_in(tmp_path, url)
            await logged_in(tmp_path, url)
            assert len(issuer.clients) == 1


async def test_a_client_registered_by_hand_is_used_as_configured(tmp_path: Path) -> None:
    from mcp.shared.auth import OAuthClientInformationFull

    issuer = Issuer()
    with anyio.fail_after(120):
        async with oauth_servers.protected(issuer) as url:
            port = 0
            async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
                port = listener.extra(anyio.abc.SocketAttribute.local_port)
            redirect = f"http://127.0.0.1:{port}/callback"
            fields = {"client_id": "mine", "client_secret": "s", "redirect_uris": [redirect], "scope": "use more"}
            fields["token_endpoint_auth_method"] = "client_secret_post"
            issuer.clients["mine"] = OAuthClientInformationFull.model_validate(fields)
            choice = OAuthSettings(client_id="mine", client_secret="s", redirect_port=port, scope="use more")
            store = await logged_in(tmp_path, url, choice=choice)
            assert issuer.asked_scopes == ["use", "more"]
            assert set(issuer.clients) == {"mine"}
            store.write(replace(stored(store), renew_at=1.0))
            async with connect("r", UpstreamSpec(url=url), limits(), home=tmp_path):
                assert issuer.renewals == 1


async def test_a_client_id_metadata_document_takes_the_place_of_a_registration(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    address = "https://example.com/toolrouter.json"
    document = {
        "client_name": "toolrouter",
        "redirect_uris": [f"http://127.0.0.1:{port}/callback"],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "scope": "use",
    }
    issuer = Issuer(documents={address: document})
    choice = OAuthSettings(client_metadata_url=address, redirect_port=port)
    with anyio.fail_after(120):
        async with protected(issuer, documents=True) as url:
            store = await logged_in(tmp_path, url, choice=choice)
            login = stored(store)
            assert login.client["client_id"] == address
            store.write(replace(login, renew_at=1.0))
            async with connect("r", UpstreamSpec(url=url), limits(), home=tmp_path) as connection:
                assert text(await connection.request("tools/call", ECHO, timeout_s=60)) == "echo {}"
    assert issuer.clients == {}
    assert issuer.renewals == 1
    assert {token.client_id for token in issuer.access.values()} == {address}


async def test_a_metadata_document_that_the_issuer_does_not_take_is_an_error(tmp_path: Path) -> None:
    choice = OAuthSettings(client_metadata_url="https://example.com/other.json")
    with anyio.fail_after(120):
        async with protected(Issuer(), documents=True) as url:
            with pytest.raises(UpstreamError):
                await log_in(LoginStore(tmp_path, "r", url), UpstreamSpec(url=url), choice, browser, timeout_s=0.5)


async def test_a_server_of_the_older_kind_is_logged_in_to_alike(tmp_path: Path) -> None:
    issuer = Issuer()
    with anyio.fail_after(120):
        async with protected(issuer, sse=True) as url:
            spec, store = UpstreamSpec(url=url, type="sse"), LoginStore(tmp_path, "r", url)
            with pytest.raises(LoginNeeded, match="run `toolrouter login r`"):
                async with connect("r", spec, limits(), home=tmp_path):
                    pass
            await log_in(store, spec, OAuthSettings(), browser, timeout_s=60)
            store.write(replace(stored(store), renew_at=1.0))
            async with connect("r", spec, limits(), home=tmp_path) as connection:
                assert text(await connection.request("tools/call", ECHO, timeout_s=60)) == "echo over sse"
            assert issuer.renewals == 1
            assert issuer.resources == {url}


async def test_a_refusal_in_the_browser_is_told(tmp_path: Path) -> None:
    with anyio.fail_after(120):
        async with protected(Issuer(consents=False)) as url:
            with pytest.raises(UpstreamError, match="r: the login was refused: The person said no"):
                await logged_in(tmp_path, url)
            assert LoginStore(tmp_path, "r", url).read() is None


async def test_a_person_who_never_comes_is_not_waited_for_forever(tmp_path: Path) -> None:
    with anyio.fail_after(120):
        async with protected(Issuer()) as url:
            with pytest.raises(UpstreamError, match=r"nobody logged in within 0\.2 s"):
                await log_in(
                    LoginStore(tmp_path, "r", url), UpstreamSpec(url=url), OAuthSettings(), nobody, timeout_s=0.2
                )


async def test_a_forged_answer_at_the_redirect_address_neither_logs_in_nor_ends_the_login(tmp_path: Path) -> None:
    forged = []

    async def forge_first(address: str) -> None:
        redirect = httpx2.URL(address).params["redirect_uri"]
        async with httpx2.AsyncClient() as client:
            queries = {"code": "stolen", "state": "guessed"}, {"code": "stolen"}, {"error": "access_denied"}
            forged.extend([(await client.get(redirect, params=query)).status_code for query in queries])
        await browser(address)

    with anyio.fail_after(120):
        async with protected(Issuer()) as url:
            store = await logged_in(tmp_path, url, show=forge_first)
            assert forged == [400, 400, 400]
            assert stored(store).access_token


@pytest.mark.parametrize(
    ("methods", "settings"),
    [(["plain"], OAuthSettings()), (None, OAuthSettings()), (None, OAuthSettings(client_id="registered-by-hand"))],
)
async def test_an_issuer_without_pkce_is_not_logged_in_to(
    tmp_path: Path, methods: list[str] | None, settings: OAuthSettings
) -> None:
    issuer = Issuer(pkce_methods=methods)
    with anyio.fail_after(120):
        async with protected(issuer) as url:
            with pytest.raises(UpstreamError, match="S256"):
                await logged_in(tmp_path, url, choice=settings, show=nobody)


async def test_a_server_without_protection_asks_for_no_login(tmp_path: Path) -> None:
    from tests.upstreams_stub.http_servers import serving, streamable_app

    with anyio.fail_after(120):
        async with serving(streamable_app()) as url:
            with pytest.raises(UpstreamError, match="asks for no login"):
                await logged_in(tmp_path, f"{url}/mcp", show=nobody)


async def test_a_login_is_never_sent_in_the_clear(tmp_path: Path) -> None:
    with pytest.raises(UpstreamError, match="is not https"):
        await logged_in(tmp_path, "http://example.com/mcp", show=nobody)

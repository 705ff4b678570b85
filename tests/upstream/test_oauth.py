"""Logging in to a protected server, and what happens when the login runs out. The issuer and the server are real."""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import anyio
import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.hosts.conftest import Keys, keys, no_keys  # noqa: F401 - fixtures
from tests.upstream.stubs import fleet_of, limits, text
from toolrouter.config import OAuthSettings, UpstreamSpec
from toolrouter.errors import LoginNeeded, UpstreamError
from toolrouter.types import ServerState
from toolrouter.upstream.connect import connect
from toolrouter.upstream.oauth import LoginAuth, renew
from toolrouter.upstream.oauth_login import log_in, revoke
from toolrouter.upstream.oauth_store import Login, LoginStore

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

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


async def test_a_login_lets_calls_through_with_tokens_for_this_server_alone(tmp_path: Path) -> None:
    issuer = Issuer()
    with anyio.fail_after(120):
        async with protected(issuer) as url:
            with pytest.raises(LoginNeeded, match="r: login needed: run `toolrouter login r`"):
                async with connect("r", UpstreamSpec(url=url), limits(), home=tmp_path):
                    pass
            store = await logged_in(tmp_path, url)
            async with connect("r", UpstreamSpec(url=url), limits(), home=tmp_path) as connection:
                assert text(await connection.request("tools/call", ECHO, timeout_s=60)) == "echo {}"
            login = stored(store)
            assert login.issuer == issuer.url
            assert (login.resource, login.scope) == (url, "use")
            assert issuer.resources == {url}


async def test_a_login_under_another_alias_or_address_is_not_used(tmp_path: Path) -> None:
    with anyio.fail_after(120):
        async with protected(Issuer()) as url:
            await logged_in(tmp_path, url)
            for alias, address in (("other", url), ("r", f"{url}/")):
                assert LoginStore(tmp_path, alias, address).read() is None


async def test_a_token_is_renewed_before_it_expires(tmp_path: Path) -> None:
    issuer = Issuer()
    with anyio.fail_after(120):
        async with protected(issuer) as url:
            store = await logged_in(tmp_path, url)
            login = stored(store)
            assert 0 < login.expires_at - login.renew_at <= 60
            store.write(replace(login, renew_at=1.0))
            async with connect("r", UpstreamSpec(url=url), limits(), home=tmp_path) as connection:
                assert text(await connection.request("tools/call", ECHO, timeout_s=60)) == "echo {}"
            assert issuer.renewals == 1
            assert stored(store).refresh_token != login.refresh_token


async def test_a_token_that_the_server_no_longer_takes_is_renewed_and_the_call_repeated(tmp_path: Path) -> None:
    issuer = Issuer()
    with anyio.fail_after(120):
        async with protected(issuer) as url:
            await logged_in(tmp_path, url)
            async with connect("r", UpstreamSpec(url=url), limits(), home=tmp_path) as connection:
                issuer.forget_access_tokens()
                assert text(await connection.request("tools/call", ECHO, timeout_s=60)) == "echo {}"
            assert issuer.renewals == 1


async def test_many_calls_of_many_processes_renew_once(tmp_path: Path) -> None:
    issuer = Issuer()
    with anyio.fail_after(120):
        async with protected(issuer) as url:
            store = await logged_in(tmp_path, url)
            store.write(replace(stored(store), renew_at=1.0))
            # Each has a store of its own, as each process has; the file lock knows no difference.
            logins = [LoginAuth(LoginStore(tmp_path, "r", url)) for _ in range(4)]
            tokens: list[str] = []

            async def ask(login: LoginAuth) -> None:
                tokens.append(await login._token())

            async with anyio.create_task_group() as tasks:
                for login in logins * 3:
                    tasks.start_soon(ask, login)
            assert len(tokens) == 12
            assert set(tokens) == {stored(store).access_token}
            assert issuer.renewals == 1


RENEWER = """
import sys, anyio
from pathlib import Path
from toolrouter.upstream.oauth import LoginAuth
from toolrouter.upstream.oauth_store import LoginStore
print(anyio.run(LoginAuth(LoginStore(Path(sys.argv[1]), "r", sys.argv[2]))._token))
"""


async def test_processes_share_one_renewal(tmp_path: Path) -> None:
    issuer = Issuer()
    with anyio.fail_after(120):
        async with protected(issuer) as url:
            store = await logged_in(tmp_path, url)
            store.write(replace(stored(store), renew_at=1.0))
            answers: list[bytes] = []

            async def renew_elsewhere() -> None:
                words = [sys.executable, "-c", RENEWER, str(tmp_path), url]
                answers.append((await anyio.run_process(words)).stdout.strip())

            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(renew_elsewhere)
            assert issuer.renewals == 1
            assert answers == [stored(store).access_token.encode()] * 3


async def test_an_expired_login_is_said_in_the_state_and_the_error_and_mended_by_a_new_one(tmp_path: Path) -> None:
    issuer = Issuer()
    with anyio.fail_after(120):
        async with protected(issuer) as url:
            await logged_in(tmp_path, url)
            specs = {"r": UpstreamSpec(url=url)}
            async with fleet_of(specs, home=tmp_path, seconds=35) as watched:
                assert await watched.call("r", "echo") == "echo {}"
                issuer.renews = False
                issuer.forget_access_tokens()
                words = "r: login needed: run `toolrouter login r`"
                with pytest.raises(LoginNeeded, match=words):
                    await watched.call("r", "echo")
                await watched.wait_until(lambda: watched.fleet.state("r").state is ServerState.FAILED)
                assert words in watched.fleet.state("r").error
                with pytest.raises(UpstreamError, match="login needed"):
                    await watched.call("r", "echo")
                issuer.renews = True
                await logged_in(tmp_path, url)
                assert await watched.call("r", "echo") == "echo {}", "whoever logged in need not wait"


async def test_a_server_that_needs_a_login_holds_up_no_other(tmp_path: Path) -> None:
    with anyio.fail_after(120):
        async with (
            protected(Issuer()) as url,
            protected(Issuer()) as other,
            fleet_of({"r": UpstreamSpec(url=other), "locked": UpstreamSpec(url=url)}, home=tmp_path) as watched,
        ):
            await logged_in(tmp_path, other)
            await watched.fleet.refresh(["r", "locked"])
            assert watched.fleet.state("locked").error == "locked: login needed: run `toolrouter login locked`"
            assert await watched.call("r", "echo") == "echo {}"


async def test_an_issuer_that_is_away_is_no_reason_to_log_in_again(tmp_path: Path) -> None:
    with anyio.fail_after(120):
        async with protected(Issuer()) as url:
            store = await logged_in(tmp_path, url)
            away = replace(stored(store), token_endpoint="http://127.0.0.1:9/token", access_token="old")
            store.write(away)
            with pytest.raises(UpstreamError, match="the login could not be renewed at http") as caught:
                async with connect("r", UpstreamSpec(url=url), limits(), home=tmp_path):
                    pass
            assert not isinstance(caught.value, LoginNeeded)
            assert "login needed" not in str(caught.value)
            assert stored(store) == away, "it may be renewed another time"


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


@pytest.mark.parametrize(
    ("status", "body", "ended"),
    [
        (400, {"error": "invalid_grant"}, True),
        (401, "no words", True),
        (200, {"error": "bad_refresh_token"}, True),
        (403, "<html>a firewall</html>", False),
        (403, {"error": "blocked by policy"}, False),
        (403, {"error": "invalid_grant"}, True),
        (429, "later", False),
        (429, {"error": "too_many_requests"}, False),
        (404, {"error": {"message": "no such page"}}, False),
        (400, {"error": "temporarily_unavailable"}, False),
        (503, {"error": "x"}, False),
    ],
)
async def test_a_login_ends_by_its_issuers_word_alone(status: int, body: object, *, ended: bool) -> None:
    async def answer(_request: Request) -> Response:
        return PlainTextResponse(body, status) if isinstance(body, str) else JSONResponse(body, status)

    with anyio.fail_after(60):
        async with serving(Starlette(routes=[Route("/token", answer, methods=["POST"])])) as url:
            login = replace(LOGIN, token_endpoint=f"{url}/token", resource=url)
            if ended:
                assert await renew(login) == login.ended()
            else:
                with pytest.raises(httpx2.HTTPError, match=f"HTTP {status}"):
                    await renew(login)


@pytest.mark.parametrize(
    ("granted", "wanted", "option"),
    [("use", "use burn", '--scope "use burn"'), ("use", "burn", '--scope "use burn"'), ("", "a`rm -rf`", "--scope …")],
)
@pytest.mark.parametrize("status", [401, 403])
async def test_a_call_beyond_the_login_says_which_login_it_takes(
    tmp_path: Path, granted: str, wanted: str, option: str, status: int
) -> None:
    auth = LoginAuth(LoginStore(tmp_path, "r", "https://r/mcp"))
    auth._store.write(replace(LOGIN, scope=granted))
    await auth._token()
    challenge = {"www-authenticate": f'Bearer error="insufficient_scope", scope="{wanted}"'}
    assert auth.explain(httpx2.Response(status, headers=challenge)).endswith(f"by `toolrouter login r {option}`")


async def test_a_server_without_protection_asks_for_no_login(tmp_path: Path) -> None:
    from tests.upstreams_stub.http_servers import serving, streamable_app

    with anyio.fail_after(120):
        async with serving(streamable_app()) as url:
            with pytest.raises(UpstreamError, match="asks for no login"):
                await logged_in(tmp_path, f"{url}/mcp", show=nobody)


async def test_a_login_is_never_sent_in_the_clear(tmp_path: Path) -> None:
    with pytest.raises(UpstreamError, match="is not https"):
        await logged_in(tmp_path, "http://example.com/mcp", show=nobody)


async def test_logging_out_tells_the_issuer(tmp_path: Path) -> None:
    issuer = Issuer()
    with anyio.fail_after(120):
        async with protected(issuer) as url:
            store = await logged_in(tmp_path, url)
            login = stored(store)
            assert await revoke(login)
            assert issuer.revoked == [login.refresh_token]
            assert store.remove()
            assert store.read() is None
            assert not store.remove()


@pytest.mark.usefixtures("no_keys")
async def test_without_a_keyring_a_login_is_in_a_file_for_its_owner_only(tmp_path: Path) -> None:
    store = LoginStore(tmp_path, "r", "https://r/mcp")
    assert not store.write(LOGIN)
    (path,) = (tmp_path / "logins").iterdir()
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert store.read() == LOGIN
    assert "hush" not in repr(LOGIN)
    assert "refresh" not in repr(replace(LOGIN, refresh_token="refresh!")).replace("refresh_token", "")


async def test_with_a_keyring_the_file_holds_no_secret(tmp_path: Path, keys: Keys) -> None:  # noqa: F811
    store = LoginStore(tmp_path, "r", "https://r/mcp")
    assert store.write(LOGIN)
    (path,) = (tmp_path / "logins").iterdir()
    assert not {"access_token", "refresh_token", "client"} & set(json.loads(path.read_text()))
    assert store.read() == LOGIN
    store.remove()
    assert not keys.entries

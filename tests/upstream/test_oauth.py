"""Being logged in to a protected server: what is sent, kept and renewed. The issuer and the server are real."""

from __future__ import annotations

import json
import os
import stat
import sys
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
from tests.upstream.logins import (
    ECHO,
    LOGIN,
    Issuer,
    logged_in,
    protected,
    serving,
    stored,
)
from tests.upstream.stubs import BESIDE_SDK_SERVERS, fleet_of, limits, text
from toolrouter.config import UpstreamSpec
from toolrouter.errors import LoginNeeded, UpstreamError
from toolrouter.types import ServerState
from toolrouter.upstream.connect import connect
from toolrouter.upstream.oauth import LoginAuth, renew
from toolrouter.upstream.oauth_login import revoke
from toolrouter.upstream.oauth_store import LoginStore

pytestmark = BESIDE_SDK_SERVERS


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

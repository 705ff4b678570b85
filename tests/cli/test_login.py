"""login and logout as a person types them, against a real issuer and a real server in another thread."""

from __future__ import annotations

import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import anyio.from_thread
import httpx2
import pytest

from tests.cli.conftest import Shell
from tests.hosts.conftest import no_keys  # noqa: F401 - fixture

pytestmark = [
    pytest.mark.usefixtures("no_keys"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

oauth_servers = pytest.importorskip("tests.upstreams_stub.oauth_servers")


@contextmanager
def running(issuer: object) -> Iterator[str]:
    """The address of a protected server that lives in a thread of its own: commands run their own event loop."""
    with anyio.from_thread.start_blocking_portal() as portal:  # noqa: SIM117
        with portal.wrap_async_context_manager(oauth_servers.protected(issuer)) as url:
            yield url


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a browser was sent to; it says yes."""
    addresses: list[str] = []

    def browse(address: str) -> bool:
        addresses.append(address)
        visit = threading.Thread(target=lambda: httpx2.get(address, follow_redirects=True), daemon=True)
        visit.start()
        return True

    monkeypatch.setattr(webbrowser, "open", browse)
    return addresses


def test_a_login_shows_in_list_and_ends_with_logout(shell: Shell, opened: list[str]) -> None:
    issuer = oauth_servers.Issuer()
    with running(issuer) as url:
        shell.configure({"far": {"url": url}, "demo": shell.server()})
        shell("index")
        assert not opened, "only login opens a browser"
        before = {row["name"]: row for row in shell("list", "--json").json}
        assert before["far"]["error"] == "login needed: run `toolrouter login far`"
        assert before["demo"]["tools"] == 3

        findings = {finding["subject"]: finding for finding in shell("doctor", "--json").json}
        assert (findings["far"]["outcome"], findings["far"]["fix"]) == ("problem", "toolrouter login far")
        assert "login needed" in findings["far"]["detail"]
        assert findings["demo"]["outcome"] == "ok"

        done = shell("login", "far")
        assert done.status == 0, done.err
        assert len(opened) == 1
        assert opened[0] in done.err
        assert "a file that only you can read" in done.err
        assert "far has 2 tools." in done.err
        after = {row["name"]: row for row in shell("list", "--json").json}
        assert (after["far"]["tools"], after["far"]["error"]) == (2, "")
        assert shell("call", "far__echo").status == 0
        found = next(each for each in shell("doctor", "--json").json if each["subject"] == "far")
        assert found["outcome"] == "ok"

        assert "its login service knows" in shell("logout", "far").err
        assert "no login" in shell("logout", "far").err
        assert shell("call", "far__echo").status == 1


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"command": "x"}, "a program on this machine"),
        ({"url": "https://h/mcp", "headers": {"authorization": "Bearer x"}}, "used as it is"),
    ],
)
def test_login_says_where_it_makes_no_sense(shell: Shell, entry: dict[str, object], words: str) -> None:
    shell.configure({"a": entry})
    done = shell("login", "a")
    assert done.status == 1
    assert words in done.err
    assert shell("login", "b").status == 1

"""Where a remote server may send us during a login."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import httpx2
import pytest

from toolrouter.upstream.reach import PUBLIC, Address, Reach, nearness

pytestmark = pytest.mark.anyio
WORLD = "93.184.216.34"


class Names:
    """A name service whose answers a test decides; each list of answers is given in turn, the last one for ever."""

    def __init__(self, **answers: list[str]) -> None:
        self.answers = {name.replace("_", "."): list(found) for name, found in answers.items()}

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        found = self.answers[host]
        given = found.pop(0) if len(found) > 1 else found[0]
        return [ipaddress.ip_address(address) for address in given.split()]


class Recorder(httpx2.AsyncBaseTransport):
    def __init__(self) -> None:
        self.asked: list[tuple[str, str, object]] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append((request.url.host, request.headers["host"], request.extensions.get("sni_hostname")))
        return httpx2.Response(200)


async def reached(own: str, target: str, names: Names) -> list[tuple[str, str, object]]:
    recorder = Recorder()
    async with httpx2.AsyncClient(transport=Reach(own, recorder, names)) as client:
        await client.get(target)
    return recorder.asked


async def test_the_connection_goes_to_the_address_that_was_looked_at_under_the_name_that_was_asked_for() -> None:
    names = Names(own_example=[WORLD], login_example=[WORLD, "127.0.0.1"])
    asked = await reached("https://own.example/mcp", "https://login.example/token", names)
    assert asked == [(WORLD, "login.example", "login.example")]


@pytest.mark.parametrize(
    "inside",
    [
        "127.0.0.1",
        "10.0.0.7",
        "169.254.169.254",
        "::1",
        "fe80::1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "::169.254.169.254",
        "::ffff:0:10.0.0.7",
        "fec0::1",
        "::ffff:127.0.0.1",
        "0.0.0.0",
        f"{WORLD} 10.0.0.7",
    ],
)
async def test_a_public_server_sends_us_to_no_address_of_this_machine_or_its_networks(inside: str) -> None:
    names = Names(own_example=[WORLD], login_example=[inside])
    with pytest.raises(httpx2.ConnectError, match="refused"):
        await reached("https://own.example/mcp", "https://login.example/token", names)


async def test_a_name_that_later_points_to_this_machine_is_refused() -> None:
    names, recorder = Names(own_example=[WORLD, WORLD, "127.0.0.1"]), Recorder()
    async with httpx2.AsyncClient(transport=Reach("https://own.example/", recorder, names)) as client:
        await client.get("https://own.example/")
        with pytest.raises(httpx2.ConnectError, match="this machine"):
            await client.get("https://own.example/")
    assert len(recorder.asked) == 1


async def test_a_server_of_this_machine_may_send_us_anywhere_but_in_the_clear() -> None:
    names = Names(localhost=["127.0.0.1"], login_example=[WORLD])
    assert len(await reached("http://localhost:1/mcp", "https://login.example/", names)) == 1
    assert len(await reached("http://localhost:1/mcp", "http://localhost:2/", names)) == 1
    with pytest.raises(httpx2.ConnectError, match="without https"):
        await reached("http://localhost:1/mcp", "http://login.example/", names)


@pytest.mark.parametrize("spelling", ["http://2130706433/", "http://0x7f000001/", "http://127.1/"])
async def test_odd_spellings_of_an_address_are_that_address(spelling: str) -> None:
    async with httpx2.AsyncClient(transport=Reach("https://93.184.216.34/", Recorder())) as client:
        with pytest.raises(httpx2.ConnectError, match=r"this machine|cannot be resolved"):
            await client.get(spelling)


async def test_addresses_within_addresses_are_seen() -> None:
    assert nearness(ipaddress.ip_address("2002:7f00:1::")) == nearness(ipaddress.ip_address("127.0.0.1"))


@pytest.mark.parametrize("far", [WORLD, "2606:4700::1111", "64:ff9b::5db8:d822", f"::ffff:{WORLD}"])
def test_the_rest_of_the_world_may_be_reached(far: str) -> None:
    assert nearness(ipaddress.ip_address(far)) == PUBLIC

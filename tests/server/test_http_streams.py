"""What was sent to a host over HTTP is kept for a while, in bounds, and read on from where it broke off."""

from __future__ import annotations

import anyio
import pytest

from toolrouter.server import http_streams
from toolrouter.server.http_streams import Stream, Streams

pytestmark = pytest.mark.anyio


def note(number: int) -> dict[str, object]:
    return {"jsonrpc": "2.0", "method": "n", "params": {"number": number}}


def answer(request_id: int) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": request_id, "result": {}}


async def read(stream: Stream, *, after: int | None = None, resumable: bool = False) -> list[str]:
    """The data of all events until the stream ends."""
    found: list[bytes] = []

    async def write(data: bytes) -> None:
        found.append(data)

    with anyio.fail_after(60):
        await stream.write_events(write, after=after, resumable=resumable)
    return [data.decode() for data in found]


async def test_a_broken_stream_is_read_on_after_the_last_event_that_arrived() -> None:
    streams = Streams()
    stream = streams.open(7)
    for number in range(3):
        streams.put(note(number), 7)
    streams.put(answer(7), 7)
    first = await read(stream, resumable=True)
    assert first[0] == f"id: {stream.key}-0\r\nretry: 1000\r\ndata: \r\n\r\n"
    assert len(first) == 5
    found = streams.found(f"{stream.key}-2")
    assert found == (stream, 2)
    assert [event.count('"number":2') for event in await read(stream, after=2)] == [1, 0]


async def test_what_belongs_to_no_open_request_goes_on_the_standing_stream() -> None:
    streams = Streams()
    streams.open(1)
    streams.put(answer(1), 1)
    streams.put(note(5), 1)
    streams.put(note(6), None)
    streams.end()
    assert len(await read(streams.standing)) == 2


async def test_only_the_last_reader_gets_what_comes() -> None:
    stream = Stream("1")
    heard: dict[str, list[bytes]] = {"old": [], "new": []}

    async def follow(name: str) -> None:
        async def write(data: bytes) -> None:
            heard[name].append(data)

        await stream.write_events(write, after=None, resumable=False)

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow, "old")
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(follow, "new")
            await anyio.wait_all_tasks_blocked()
            stream.put(note(1))
            stream.end()
    assert (len(heard["old"]), len(heard["new"])) == (0, 1)


async def test_what_is_kept_is_bounded_and_what_was_read_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_streams, "MAX_EVENTS", 4)
    streams = Streams()
    seen, unseen = streams.open(1), streams.open(2)
    streams.put(answer(1), 1)
    await read(seen)
    streams.put(answer(2), 2)
    for number in range(3):
        streams.put(note(number), None)
    assert streams.found(f"{seen.key}-0") is None
    assert len(await read(unseen)) == 1
    for number in range(50):
        streams.put(note(number), None)
    streams.end()
    assert len(await read(streams.standing)) <= 4


@pytest.mark.parametrize("event_id", ["", "9-1", "0", "0-x", "0-²", "junk"])
def test_an_event_of_no_stream_is_not_found(event_id: str) -> None:
    assert Streams().found(event_id) is None

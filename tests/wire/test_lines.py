from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterable

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolrouter.wire.lines import LineFault, LineReader, encode_message, parse_message, read_messages

MESSAGE = {"jsonrpc": "2.0", "id": 1, "result": {}}


def chunks_of(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def source(chunks: Iterable[bytes]) -> Callable[[], Awaitable[bytes]]:
    left = iter(chunks)

    async def receive() -> bytes:
        return next(left, b"")

    return receive


async def lines_of(chunks: Iterable[bytes], max_bytes: int = 1000) -> list[bytes | LineFault]:
    return [line async for line in LineReader(source(chunks), max_bytes)]


async def messages_of(data: bytes, max_bytes: int = 10_000) -> list[dict[str, object] | LineFault]:
    return [message async for message in read_messages(source([data]), max_bytes)]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=8), st.integers(1, 50))
def test_lines_do_not_depend_on_how_the_bytes_were_cut(lines: list[bytes], size: int) -> None:
    data = b"\n".join(lines)
    expected = [kept for line in data.split(b"\n") if (kept := line.removeprefix(b"\xef\xbb\xbf").strip())]
    assert anyio.run(lines_of, chunks_of(data, size)) == expected


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 60), max_size=10), st.integers(1, 30))
def test_a_line_over_the_limit_costs_only_itself(lengths: list[int], size: int) -> None:
    data = b"".join(b"x" * length + b"\n" for length in lengths)
    found = anyio.run(lines_of, chunks_of(data, size), 20)
    kept = [length for length in lengths if length]
    assert [isinstance(line, LineFault) for line in found] == [length > 20 for length in kept]
    assert [line for line in found if isinstance(line, bytes)] == [b"x" * length for length in kept if length <= 20]


def test_a_line_of_32_mib_takes_well_under_a_second() -> None:
    data = b"y" * (32 * 2**20) + b"\n"
    chunks = chunks_of(data, 65_536)
    started = time.process_time()
    (line,) = anyio.run(lines_of, chunks, 64 * 2**20)
    assert time.process_time() - started < 1
    assert len(line) == 32 * 2**20


def test_an_endless_line_is_dropped_in_bounded_memory() -> None:
    chunk = b"z" * 65_536
    tracemalloc.start()
    found = anyio.run(lines_of, (chunk for _ in range(400)), 2**20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [str(fault) for fault in found] == ["a line of 26,214,400 bytes is over the limit of 1,048,576"]
    assert peak < 4 * 2**20


def test_noise_between_messages_is_a_fault_each_and_no_message_is_lost() -> None:
    line = json.dumps(MESSAGE).encode()
    data = b"\xef\xbb\xbfStarting up!\r\n\n" + line + b'\r\n{"level":"info","method":"GET"}\n12\n\xff\xfe\n' + line
    found = anyio.run(messages_of, data)
    assert [isinstance(message, LineFault) for message in found] == [True, False, True, True, True, False]
    assert str(found[0]) == "not JSON: 'Starting up!'"


def test_a_message_with_broken_utf8_still_arrives() -> None:
    (found,) = anyio.run(messages_of, b'{"jsonrpc":"2.0","id":1,"result":{"text":"a\xffb"}}\n')
    assert isinstance(found, dict)
    assert found["result"] == {"text": "a\ufffdb"}


def test_numbers_that_are_not_json_become_null() -> None:
    found = parse_message(b'{"jsonrpc":"2.0","id":1,"result":{"a":NaN,"b":[-Infinity]}}')
    assert isinstance(found, dict)
    assert found["result"] == {"a": None, "b": [None]}


def test_a_batch_yields_its_members() -> None:
    found = anyio.run(messages_of, b"[" + json.dumps(MESSAGE).encode() + b', 5]\n[]\n["a"\n')
    assert found[0] == MESSAGE
    assert all(isinstance(member, LineFault) for member in found[1:])
    assert len(found) == 4


@pytest.mark.parametrize(
    "line", [b"[" * 100_000, b'{"jsonrpc":"2.0","id":' + b"9" * 5000 + b',"result":{}}', b"{", b"\x00"]
)
def test_hostile_lines_are_faults(line: bytes) -> None:
    assert isinstance(parse_message(line), LineFault)


def test_a_lone_surrogate_can_be_sent() -> None:
    message = {"jsonrpc": "2.0", "id": 1, "result": {"text": "\ud800é"}}
    assert parse_message(encode_message(message).strip()) == message


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_what_is_sent_is_what_arrives(result: dict[str, object]) -> None:
    message = {"jsonrpc": "2.0", "id": 7, "result": result}
    assert anyio.run(messages_of, encode_message(message)) == [message]

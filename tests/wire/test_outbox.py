"""Messages of several tasks in one write."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from toolrouter.wire.outbox import HIGH_BYTES, Outbox

pytestmark = pytest.mark.anyio


async def test_what_is_sent_at_the_same_time_is_written_at_once_and_in_order() -> None:
    written: list[bytes] = []

    async def write(data: bytes) -> None:
        written.append(data)

    outbox = Outbox(write)
    with anyio.fail_after(120):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(outbox.run)
            for number in range(3):
                tasks.start_soon(outbox.put, b"%d\n" % number)
            await anyio.lowlevel.checkpoint()
            await outbox.flush()
            tasks.cancel_scope.cancel()
    assert b"".join(written) == b"0\n1\n2\n"
    assert len(written) < 3


async def test_a_sender_waits_while_too_much_is_unwritten_and_hears_of_the_end() -> None:
    released = anyio.Event()

    async def write(_data: bytes) -> None:
        await released.wait()
        raise anyio.BrokenResourceError

    outbox = Outbox(write)
    with anyio.fail_after(120):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(outbox.run)
            with anyio.move_on_after(0.05) as waited:
                await outbox.put(b"x" * (HIGH_BYTES + 1))
            assert waited.cancelled_caught
            released.set()
            await outbox.flush()
            with pytest.raises(anyio.BrokenResourceError):
                await outbox.put(b"late")
            tasks.cancel_scope.cancel()

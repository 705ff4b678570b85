"""Writing that nobody waits for."""

from __future__ import annotations

import logging

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from toolrouter.errors import StoreError
from toolrouter.server import late_writes
from toolrouter.server.late_writes import LateWrites

pytestmark = pytest.mark.anyio


async def test_what_comes_close_together_is_written_at_once_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_writes, "WRITE_BATCH_S", 0.01)
    written: list[tuple[int, ...]] = []
    done = anyio.Event()

    def write(*numbers: int) -> None:
        written.append(numbers)
        anyio.from_thread.run_sync(done.set)

    late = LateWrites()
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for number in range(3):
                late.add(write, number)
            tasks.start_soon(late.run)
            await done.wait()
            tasks.cancel_scope.cancel()
    assert written == [(0, 1, 2)]


async def test_a_batch_that_waits_for_a_thread_at_the_end_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_writes, "WRITE_BATCH_S", 0)
    written: list[int] = []
    late = LateWrites()
    late.add(written.extend, [1])
    threads = anyio.to_thread.current_default_thread_limiter()
    others = [object() for _ in range(int(threads.available_tokens))]
    for other in others:
        threads.acquire_on_behalf_of_nowait(other)
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(late.run)
            while not threads.statistics().tasks_waiting:
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
            for other in others:
                threads.release_on_behalf_of(other)
    late.finish()
    assert written == [1]


async def test_one_writer_that_fails_holds_up_no_other_and_the_rest_is_written_at_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    written: list[str] = []

    def fail(*_items: str) -> None:
        raise StoreError("the disk is full")

    late = LateWrites()
    late.add(fail, "a")
    late.add(lambda *items: written.extend(items), "b")
    with caplog.at_level(logging.WARNING):
        late.finish()
    late.finish()
    assert written == ["b"]
    assert "the disk is full" in caplog.text

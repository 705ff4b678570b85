"""Many calls of several hosts at one server at the same time: each gets its own answer."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import pytest

from tests.server.hosts import Host, connected
from toolrouter.app import open_router
from toolrouter.config import Settings

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_model")]
ECHO = Path(__file__).parents[2] / "benchmarks" / "upstreams" / "echo.py"
CALLS, AT_ONCE = 1_000, 250


async def test_two_thousand_calls_of_two_hosts_are_answered_without_cross_talk(tmp_path: Path) -> None:
    server = {"command": sys.executable, "args": ["-I", "-S", str(ECHO)]}
    settings = Settings.model_validate({"mcpServers": {"echo": server}, "toolrouter": {"exposure": "all"}})
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(open_router(settings, home=tmp_path / "home"))
        hosts = [await stack.enter_async_context(connected(running)) for _ in range(2)]  # type: ignore[arg-type]
        for host in hosts:
            await host.initialize()
        await running.index()
        answered: list[tuple[str, str]] = []

        async def work(host: Host, name: str, numbers: range) -> None:
            for number in numbers:
                words = f"{name} {number}"
                answered.append((words, await host.text_of("echo__echo", {"text": words})))

        with anyio.fail_after(120):
            async with anyio.create_task_group() as tasks:
                for name, host in zip(("ada", "bob"), hosts, strict=True):
                    for first in range(AT_ONCE):
                        tasks.start_soon(work, host, name, range(first, CALLS, AT_ONCE))
        assert len(answered) == 2 * CALLS
        assert [pair for pair in answered if pair[0] != pair[1]] == []

"""Messages over the stdin and stdout of a child process; what it says on stderr is kept for error messages."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import ByteReceiveStream, Process

from toolrouter.config import Limits, UpstreamSpec
from toolrouter.types import JsonObject
from toolrouter.upstream.processes import start_process, stop_process
from toolrouter.wire.lines import LineFault, encode_message, read_messages
from toolrouter.wire.outbox import Outbox

logger = logging.getLogger(__name__)

KEPT_LINES = 40
SHOWN_LINES = 6
LINE_CHARS = 400
SHORTEST_SECRET = 6
FLUSH_S = 0.2
DRAIN_S = 0.5
"""How long output may still arrive after the process has exited: a child of it can hold the pipe open for ever."""


class LastWords:
    """The tail of a stream of text in bounded memory, without the secrets that the server was given."""

    def __init__(self, alias: str, secrets: list[str]) -> None:
        self._alias = alias
        self._secrets = sorted(filter(_may_be_secret, secrets), key=len, reverse=True)
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._open = ""

    def add(self, chunk: bytes) -> None:
        *lines, rest = (self._open + chunk.decode(errors="replace")).split("\n")
        self._open = rest[:LINE_CHARS]
        for line in lines:
            self._keep(line)

    def tail(self) -> str:
        """The last lines, ready to be quoted."""
        return "\n".join([*self._lines, *self._cleaned(self._open)][-SHOWN_LINES:])

    def _keep(self, line: str) -> None:
        for cleaned in self._cleaned(line):
            self._lines.append(cleaned)
            logger.debug("%s: %s", self._alias, cleaned)

    def _cleaned(self, line: str) -> list[str]:
        for secret in self._secrets:
            line = line.replace(secret, "***")
        line = line.rstrip()[:LINE_CHARS]
        return [line] if line else []


class StdioCarrier:
    """A running server program."""

    def __init__(self, process: Process, last_words: LastWords, max_bytes: int) -> None:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise ValueError("the process needs pipes for all three streams")
        self.protocol_version = ""
        self._process = process
        self._stdin = process.stdin
        self._stdout = process.stdout
        self._stderr = process.stderr
        self._last_words = last_words
        self._ended = anyio.Event()
        self.outbox = Outbox(self._stdin.send)
        self.messages: AsyncIterator[JsonObject | LineFault] = read_messages(self._receive, max_bytes)

    @property
    def pid(self) -> int | None:
        return self._process.pid

    async def send(self, message: JsonObject) -> None:
        await self.outbox.put(encode_message(message))

    def post_mortem(self) -> str:
        code, tail = self._process.returncode, self._last_words.tail()
        how = "" if code is None else _exit_words(code)
        said = f"its last output:\n{tail}" if tail else ""
        return "; ".join(part for part in (how, said) if part)

    def note(self, text: str) -> None:
        # Some servers print the reason for giving up on stdout.
        self._last_words.add(f"{text}\n".encode(errors="replace"))

    def learn_headers(self, tools: list[JsonObject]) -> None:
        return

    async def watch_exit(self) -> None:
        """Ends `messages` when the process is gone although somebody else still holds its stdout."""
        await self._process.wait()
        with anyio.move_on_after(DRAIN_S):
            await self._ended.wait()
        await self._stdout.aclose()

    async def listen_to_stderr(self) -> None:
        while chunk := await _receive_or_end(self._stderr):
            self._last_words.add(chunk)

    async def close(self, limit_s: float) -> None:
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(FLUSH_S):
                await self.outbox.flush()
            await self._stdin.aclose()
            await stop_process(self._process, limit_s)
            with anyio.move_on_after(1):
                await self._process.aclose()

    async def _receive(self) -> bytes:
        chunk = await _receive_or_end(self._stdout)
        if not chunk:
            self._ended.set()
        return chunk


@asynccontextmanager
async def open_stdio(alias: str, spec: UpstreamSpec, limits: Limits) -> AsyncIterator[StdioCarrier]:
    """Starts the server's program; leaving ends it and everything it started. Raises UpstreamError."""
    process = await start_process(alias, spec)
    carrier = StdioCarrier(process, LastWords(alias, list(spec.env.values())), limits.max_message_bytes)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(carrier.listen_to_stderr)
        tasks.start_soon(carrier.watch_exit)
        tasks.start_soon(carrier.outbox.run)
        try:
            yield carrier
        finally:
            await carrier.close(limits.stop_timeout_s)
            tasks.cancel_scope.cancel()


def _may_be_secret(value: str) -> bool:
    # Paths and switches are what a person needs to read in an error.
    return len(value) >= SHORTEST_SECRET and not value.startswith(("/", "./", "~"))


async def _receive_or_end(stream: ByteReceiveStream) -> bytes:
    try:
        return await stream.receive()
    except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
        return b""


def _exit_words(code: int) -> str:
    return f"the process was ended by signal {-code}" if code < 0 else f"the process exited with code {code}"

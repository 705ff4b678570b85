"""Keeps calls in flight, over stdio and over Streamable HTTP, without a library between the clock and the wire."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from benchmarks.live import PROTOCOL, ROOT, STOP_TIMEOUT_S, Session

START_LIMIT_S = 60.0
ANSWER_LIMIT_S = 60.0
Params = dict[str, Any]


@dataclass(frozen=True)
class Traffic:
    """What became of some calls: milliseconds each, and their texts, both in the order of the calls."""

    ms: list[float]
    texts: list[str]
    seconds: float


@dataclass(frozen=True)
class StdioHost:
    """One host on the stdin and stdout of a server."""

    session: Session

    def keep(self, calls: Sequence[Params], in_flight: int) -> Traffic:
        """Makes all calls, so many at a time."""
        began: dict[int, tuple[int, float]] = {}
        ms, texts, following = [0.0] * len(calls), [""] * len(calls), 0
        start = time.perf_counter()
        while following < len(calls) or began:
            while following < len(calls) and len(began) < in_flight:
                number = self.session.send("tools/call", calls[following])
                began[number] = (following, time.perf_counter())
                following += 1
            message = self.session.read()
            place, sent = began.pop(message.get("id", -1), (-1, 0.0))
            if place >= 0:
                ms[place] = (time.perf_counter() - sent) * 1000
                texts[place] = text_of(message)
        return Traffic(ms, texts, time.perf_counter() - start)


@dataclass(frozen=True)
class HttpHost:
    """One host on a Streamable HTTP endpoint: one session, and a connection for each call in flight."""

    url: str
    headers: dict[str, str]

    def keep(self, calls: Sequence[Params], in_flight: int) -> Traffic:
        """Makes all calls, so many at a time."""
        return asyncio.run(self._keep(calls, in_flight))

    async def _keep(self, calls: Sequence[Params], in_flight: int) -> Traffic:
        ms, texts, left = [0.0] * len(calls), [""] * len(calls), iter(range(len(calls)))
        where = urlsplit(self.url)
        lines = [f"POST {where.path} HTTP/1.1", f"host: {where.netloc}", "content-type: application/json"]
        head = "\r\n".join([*lines, *(f"{name}: {value}" for name, value in self.headers.items())])
        opened = [await asyncio.open_connection(where.hostname, where.port) for _ in range(min(in_flight, len(calls)))]

        async def work(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for place in left:
                message = {"jsonrpc": "2.0", "id": place, "method": "tools/call", "params": calls[place]}
                body = json.dumps(message)
                sent = time.perf_counter()
                writer.write(f"{head}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
                answer = await asyncio.wait_for(_answer(reader), ANSWER_LIMIT_S)
                ms[place] = (time.perf_counter() - sent) * 1000
                if answer.get("id") != place:
                    raise SystemExit(f"the answer to {place} says that it is for {answer.get('id')}")
                texts[place] = text_of(answer)

        start = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for pair in opened:
                tasks.create_task(work(*pair))
        seconds = time.perf_counter() - start
        for _, writer in opened:
            writer.close()
        return Traffic(ms, texts, seconds)


def text_of(message: Params) -> str:
    if "error" in message or message["result"].get("isError"):
        raise SystemExit(f"a call failed: {json.dumps(message)[:500]}")
    return str(message["result"]["content"][0]["text"])


async def _answer(reader: asyncio.StreamReader) -> Params:
    """The JSON-RPC answer in one HTTP response, read to its end, so that the connection serves again."""
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines if ": " in line)
    if "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    else:
        body = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
    if " 200 " not in f"{status} ":
        raise SystemExit(f"{status}: {body[:300]!r}")
    if headers.get("content-type", "").startswith("application/json"):
        found: Params = json.loads(body)
        return found
    data = [line[5:] for line in body.split(b"\n") if line.startswith(b"data:") and line[5:].strip()]
    return next(message for message in map(json.loads, data) if "method" not in message)


def http_host(url: str, token: str = "") -> HttpHost:
    """A host that has shaken hands; waits until somebody listens there."""
    headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": PROTOCOL}
    headers |= {"authorization": f"Bearer {token}"} if token else {}
    hello = {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": {"name": "benchmark", "version": "1"}}
    with httpx.Client(headers=headers, timeout=30) as client:
        _wait_until_up(client, url)
        first = client.post(url, json={"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello})
        first.raise_for_status()
        session = {key: first.headers[key] for key in ("mcp-session-id",) if key in first.headers}
        client.post(url, json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=session)
    return HttpHost(url, headers | session)


def _wait_until_up(client: httpx.Client, url: str) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        try:
            client.get(url, timeout=2, headers={"accept": "text/plain"})
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


@contextmanager
def running(command: Sequence[str], environ: dict[str, str] | None = None) -> Iterator[None]:
    """A program that runs until it is left."""
    everything = {**os.environ, "PYTHONPATH": str(ROOT), **(environ or {})}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=everything)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])

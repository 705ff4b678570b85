"""The daemon at work: accepts connections, serves each host by itself, answers commands, leaves when nobody is left."""

from __future__ import annotations

import contextlib
import hmac
import json
import logging
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import SocketAttribute, SocketStream, TaskGroup

from toolrouter import __version__
from toolrouter.app import Running, open_router
from toolrouter.config import Exposure
from toolrouter.daemon.conversation import GOODBYE
from toolrouter.daemon.greeting import LONGEST, OLDER, PROTOCOL, STOPPING, WRONG_SECRET, is_older
from toolrouter.daemon.leaving import Leaving
from toolrouter.daemon.place import FileLock, Place
from toolrouter.errors import NotFound
from toolrouter.server.signals import on_stop_signal
from toolrouter.server.stdio import serve_stream
from toolrouter.settings_file import ConfigWatch
from toolrouter.telemetry import desktop
from toolrouter.types import JsonObject

logger = logging.getLogger(__name__)

GREETING_S = 10.0
LOOK_S = 0.5
READ_BYTES = 2**18
LAST_ANSWERS_S = 3.0
"""How long hosts' last answers may take when the daemon is asked to finish."""


async def serve(place: Place, watch: ConfigWatch, lock: FileLock, ready: Callable[[], None]) -> None:
    """Serves until the last host has been gone for a while, or until it is asked to finish."""
    async with open_router(watch.settings, home=Path(place.home), serving=True, watch=watch) as running:
        if not os.environ.get("TOOLROUTER_NO_NOTICES"):
            running.show_notice = desktop.show
        service = Service(place, running, watch)
        async with anyio.create_task_group() as tasks:
            await tasks.start(on_stop_signal, service.finish)
            async with _listening(place) as (address, listener):
                service.write_record(address)
                ready()
                logger.info("daemon %s serves %s at %s", os.getpid(), place.config, address)
                async with anyio.create_task_group() as hosts:
                    hosts.start_soon(_accept, listener, service.take, hosts)
                    hosts.start_soon(service.watch_over_itself)
                    await service.finishing.wait()
                    # Whoever comes now starts another daemon; who is here gets the last answers.
                    await listener.aclose()
                    # Before the lock: the next daemon's socket has this one's name.
                    await _remove_socket_file(address)
                    service.remove_record()
                    lock.release()
                    with anyio.move_on_after(LAST_ANSWERS_S):
                        await service.wait_alone()
                    hosts.cancel_scope.cancel()
            tasks.cancel_scope.cancel()
    logger.info("daemon %s ended", os.getpid())


@dataclass(eq=False)
class Host:
    """A connected host."""

    pid: int
    since: float = field(default_factory=time.time)
    name: str = ""
    reading: anyio.CancelScope | None = None


class Service:
    """What a daemon does for whoever connects."""

    def __init__(self, place: Place, running: Running, watch: ConfigWatch) -> None:
        self.finishing = anyio.Event()
        self._place = place
        self._running = running
        self._watch = watch
        self._leaving = Leaving(place, running, watch)
        self._hosts: set[Host] = set()
        self._alone_since = anyio.current_time()
        self._alone = anyio.Event()
        self._started = time.time()
        self._stopped_by_person = False
        self._secret, self._answer = secrets.token_urlsafe(24), secrets.token_urlsafe(24)

    def write_record(self, address: str | int) -> None:
        self._place.write_record(
            {
                "pid": os.getpid(),
                "version": __version__,
                "address": address,
                "secret": self._secret,
                "answer": self._answer,
                "home": self._place.home,
                "config": self._place.config,
            }
        )

    def remove_record(self) -> None:
        if self._is_recorded():
            with contextlib.suppress(OSError):  # a record that stays is found to lead nowhere
                Path(self._place.record_path).unlink(missing_ok=True)

    def finish(self) -> None:
        """Takes nobody any more, and lets those go who are here."""
        self.finishing.set()
        for host in self._hosts:
            if host.reading is not None:
                host.reading.cancel()

    async def wait_alone(self) -> None:
        while self._hosts:
            self._alone = anyio.Event()
            await self._alone.wait()

    async def watch_over_itself(self) -> None:
        """Finishes when no host has come for a while, or when its place went to somebody else or vanished."""
        while not self.finishing.is_set():
            await self._leaving.look()
            await anyio.sleep(LOOK_S)
            if not self._is_recorded():
                logger.info("the daemon's record is gone: leaving")
                self.finish()
            elif not self._hosts and anyio.current_time() - self._alone_since > self._idle_exit_s():
                logger.info("no host for %g s: leaving", self._idle_exit_s())
                self.finish()

    async def take(self, stream: SocketStream) -> None:
        """Serves one connection. Its faults are its own."""
        async with stream:
            try:
                with anyio.fail_after(GREETING_S):
                    asked, rest = await _first_line(stream)
                refusal = self._refusal(asked)
                if refusal == WRONG_SECRET:
                    await stream.send(_line({"refused": WRONG_SECRET}))
                elif refusal:
                    await self._reply(stream, {"refused": refusal})
                elif asked.get("want") == "serve":
                    await self._serve_host(stream, asked, rest)
                else:
                    await self._command(stream, asked)
            except (TimeoutError, ValueError, OSError, anyio.EndOfStream, anyio.BrokenResourceError) as error:
                logger.debug("a connection was dropped: %r", error)
            except Exception:  # the supervisor: what goes wrong with one host costs no other
                logger.exception("a host's connection failed unexpectedly")

    def _refusal(self, asked: JsonObject) -> str:
        if not hmac.compare_digest(str(asked.get("secret")).encode(), self._secret.encode()):
            return WRONG_SECRET
        if asked.get("toolrouter") != PROTOCOL:
            return f"protocol {PROTOCOL} is spoken here"
        if asked.get("want") != "serve":
            return ""
        if self.finishing.is_set():
            return STOPPING
        return OLDER if is_older(__version__, asked.get("version")) else ""

    async def _reply(self, stream: SocketStream, words: JsonObject) -> None:
        await stream.send(_line({"answer": self._answer, "version": __version__, "pid": os.getpid(), **words}))

    async def _serve_host(self, stream: SocketStream, asked: JsonObject, rest: bytes) -> None:
        pid, first_id = asked.get("host"), asked.get("first_id")
        exposure = Exposure(asked["exposure"]) if asked.get("exposure") else None
        self._leaving.wants(exposure)
        host = Host(pid if isinstance(pid, int) else 0)
        self._hosts.add(host)
        try:
            await self._reply(stream, {})
            await serve_stream(
                self._running.router,
                self._receiver(stream, host, rest),
                _sender(stream),
                exposure=exposure,
                first_id=first_id if isinstance(first_id, int) else 0,
            )
            if self._stopped_by_person:
                await stream.send(GOODBYE)
        finally:
            self._hosts.discard(host)
            self._alone_since = anyio.current_time()
            self._alone.set()

    def _receiver(self, stream: SocketStream, host: Host, rest: bytes) -> Callable[[], Any]:
        pending = [rest] if rest else []

        async def receive() -> bytes:
            if self.finishing.is_set():
                return b""
            data = b""
            with anyio.CancelScope() as host.reading:
                with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                    data = pending.pop() if pending else await stream.receive(READ_BYTES)
            if not host.name and data:
                host.name = _client_name(data)
            return data

        return receive

    async def _command(self, stream: SocketStream, asked: JsonObject) -> None:
        match asked.get("want"):
            case "status":
                await self._reply(stream, self.status())
            case "stop":
                # Who replaces an older daemon wants its hosts back at once; a person wants them gone.
                self._stopped_by_person = asked.get("by") == "person"
                await self._reply(stream, {})
                self.finish()
            case "restart":
                await self._reply(stream, await self._restart(str(asked.get("name"))))
            case other:
                await self._reply(stream, {"error": f"unknown command {other!r}"})

    async def _restart(self, alias: str) -> JsonObject:
        try:
            status = await self._running.fleet.restart(self._running.router.alias(alias))
        except NotFound as error:
            return {"error": str(error), "near": list(error.near)}
        return {"state": status.state.value, "error": status.error, "pid": status.pid}

    def status(self) -> JsonObject:
        hosts = sorted(self._hosts, key=lambda host: host.since)
        return {
            "pid": os.getpid(),
            "version": __version__,
            "since": self._started,
            "config": str(self._watch.path),
            "config_problem": self._watch.problem,
            "hosts": [{"pid": host.pid, "name": host.name, "since": host.since} for host in hosts],
            "servers": {alias: self._server_status(alias) for alias in self._running.settings.servers},
        }

    def _server_status(self, alias: str) -> JsonObject:
        status = self._running.fleet.state(alias)
        refused = sorted(self._running.hosts.asking.refused.get(alias, ()))
        known = {"state": status.state.value, "error": status.error, "pid": status.pid, "since": status.since}
        return {**known, "refused_asking": refused, "host_connections": self._running.fleet.host_connections(alias)}

    def _is_recorded(self) -> bool:
        record = self._place.read_record()
        return record is not None and record.get("secret") == self._secret

    def _idle_exit_s(self) -> float:
        chosen = os.environ.get("TOOLROUTER_IDLE_EXIT_S", "")
        try:
            return float(chosen)
        except ValueError:
            return self._running.settings.router.daemon.idle_exit_s


async def _accept(listener: Any, take: Callable[[SocketStream], Any], hosts: TaskGroup) -> None:
    """Until the listener is closed; connections go on in the task group."""
    with contextlib.suppress(anyio.ClosedResourceError):
        await listener.serve(take, hosts)


@asynccontextmanager
async def _listening(place: Place) -> AsyncIterator[tuple[str | int, Any]]:
    """The address and the listener: a socket file of this user alone, or a port of this machine alone."""
    opened: tuple[str | int, Any] | None
    opened = None if os.environ.get("TOOLROUTER_SOCKET") == "tcp" else await _open_socket_file(place)
    if opened is None:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
        opened = listener.extra(SocketAttribute.local_port), listener  # noqa: S610  not a query
    address, listening = opened
    async with listening:
        yield address, listening


async def _remove_socket_file(address: str | int) -> None:
    if isinstance(address, str):
        with contextlib.suppress(OSError):
            await anyio.Path(address).unlink()


async def _open_socket_file(place: Place) -> tuple[str | int, Any] | None:
    for path in place.socket_paths():
        try:
            return path, await anyio.create_unix_listener(path, mode=0o600)
        except (OSError, AttributeError, NotImplementedError) as error:
            logger.info("no socket at %s: %s", path, error)
    return None


def _sender(stream: SocketStream) -> Callable[[bytes], Any]:
    async def send(data: bytes) -> None:
        try:
            await stream.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise BrokenPipeError("the host is gone") from error

    return send


async def _first_line(stream: SocketStream) -> tuple[JsonObject, bytes]:
    data = b""
    while b"\n" not in data:
        if len(data) > LONGEST:
            raise ValueError("the first line is too long")
        data += await stream.receive(LONGEST)
    line, _, rest = data.partition(b"\n")
    asked = json.loads(line)
    if not isinstance(asked, dict):
        raise ValueError("the first line is no object")
    return asked, rest


def _client_name(data: bytes) -> str:
    """What the host calls itself in its first message, for people who ask."""
    try:
        params = json.loads(data.partition(b"\n")[0]).get("params") or {}
        info = params.get("clientInfo") or (params.get("_meta") or {}).get("io.modelcontextprotocol/clientInfo") or {}
        return f"{info.get('name', '')} {info.get('version', '')}".strip()[:80]
    except (ValueError, AttributeError):
        return "?"


def _line(words: JsonObject) -> bytes:
    return json.dumps(words).encode() + b"\n"

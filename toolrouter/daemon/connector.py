"""What a host starts: carries lines between its stdin and stdout and the daemon, and outlives the daemon.

Two threads: one reads the host, one reads the daemon. Whoever loses the daemon leaves it to the second to find another.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time

from toolrouter.daemon.conversation import Conversation
from toolrouter.daemon.joining import START_S, NoDaemon, join, join_running
from toolrouter.daemon.left import FirstAnswers
from toolrouter.daemon.place import Place
from toolrouter.errors import ConfigError
from toolrouter.places import config_path, home_path

READ_BYTES = 2**18
LEAVE_S = 10.0
"""How long the daemon has for its last answers after the host closed stdin."""
RETRY_S = 2.0
"""How long after a vain attempt to find a daemon requests are refused without another one."""
SHORT_LIVES = 4
"""So many daemons in a row that ended within RETRY_S, and the next one is started when the host asks for something."""
EXPOSURES = ("search", "all", "auto", "dynamic")


class Options:
    """The words after `serve` that a connector understands."""

    def __init__(self) -> None:
        self.config: str | None = None
        self.exposure: str | None = None
        self.verbose = False


def parse(arguments: list[str]) -> Options | None:
    """None for words that are not for a connector: another way to serve, help, or a mistake."""
    options = Options()
    words = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if word in ("-v", "--verbose"):
            options.verbose = True
        elif name in ("-c", "--config", "--exposure"):
            value = value if equals and name != "-c" else next(words, "")
            if not value or (name == "--exposure" and value not in EXPOSURES):
                return None
            setattr(options, "exposure" if name == "--exposure" else "config", value)
        else:
            return None
    return options


def serve_through_daemon(arguments: list[str]) -> int | None:
    """Serves until the host leaves, and returns the exit status; None when this process must serve by itself."""
    options = parse(arguments)
    if options is None or os.environ.get("TOOLROUTER_NO_DAEMON"):
        return None
    try:
        place = Place(home_path(), config_path(options.config))
    except ConfigError as error:
        _say(f"toolrouter: {error}")
        return 1
    connector = Connector(place, options.exposure)
    try:
        connector.open()
    except NoDaemon as error:
        if error.told:
            _say(str(error))
            return 1
        _say(f"toolrouter: serving in this process: {error}")
        return None
    if options.verbose:
        _say(f"toolrouter: served by the daemon; its log: {os.path.join(place.home, 'logs', 'toolrouter.log')}")
    connector.run()
    return 0


class Connector:
    """Connects one host, on stdin and stdout, with the daemon of a place."""

    def __init__(self, place: Place, exposure: str | None) -> None:
        self._place = place
        self._exposure = exposure
        self._wishes: dict[str, object] = {"exposure": exposure, "host": os.getppid()}
        self._conversation = Conversation()
        self._changed = threading.Condition()
        """Guards all below. Not held while the daemon is read or a host waits to be read."""
        self._daemon: socket.socket | None = None
        self._rest = b""
        self._first: FirstAnswers | None = None
        """What can be answered before the first daemon is there."""
        self._host_left = False
        self._wanted = False
        self._joined_at = 0.0
        self._short_lives = 0
        self._writing = threading.Lock()

    def open(self) -> None:
        """Joins the daemon, or takes up what the last one left. Raises NoDaemon."""
        found = join_running(self._place, **self._wishes)
        if found is None:
            left = self._place.read_left()
            first = None if left is None else FirstAnswers(self._place, left, self._exposure)
            if first is not None and first.hold():
                self._first = first
                return
            found = join(self._place, **self._wishes)
        self._daemon, self._rest = found
        self._joined_at = time.monotonic()

    def run(self) -> None:
        """Until the host has left."""
        for name in ("SIGTERM", "SIGINT", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), lambda *_: os._exit(0))
        if hasattr(signal, "SIGCHLD"):
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # daemons we started must not stay behind as zombies
        _binary_streams()
        threading.Thread(target=self._read_host, daemon=True).start()
        while self._daemon is not None or self._find_another():
            daemon = self._daemon
            if daemon is not None:
                with contextlib.suppress(OSError):
                    self._read_daemon(daemon)
                self._lose(daemon)

    def _read_host(self) -> None:
        parts: list[bytes] = []
        with contextlib.suppress(OSError):
            while chunk := os.read(0, READ_BYTES):
                end = chunk.rfind(b"\n") + 1
                if end:
                    for line in b"".join([*parts, chunk[:end]]).splitlines(keepends=True):
                        self._pass_on(line)
                    parts = []
                parts.append(chunk[end:])
        if rest := b"".join(parts):
            self._pass_on(rest + b"\n")
        with self._changed:
            self._host_left = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._daemon is not None or not self._is_needed, START_S)
            daemon = self._daemon
            if daemon is None and not self._is_needed:
                os._exit(0)
        if daemon is not None:
            with contextlib.suppress(OSError):
                daemon.shutdown(socket.SHUT_WR)
        time.sleep(LEAVE_S)
        os._exit(0)

    def _pass_on(self, line: bytes) -> None:
        with self._changed:
            requests = self._conversation.from_host(line)
            daemon = self._daemon
            # Without a daemon it is answered here, or sent when there is one again, or refused when none is to be had.
            answers = self._conversation.answer_first(self._first) if daemon is None and self._first else []
            if daemon is None:
                self._wanted = self._wanted or bool(requests)
                self._changed.notify_all()
            else:
                for request in requests:
                    request.sent = True
        if daemon is None:
            self._write(answers)
            return
        with contextlib.suppress(OSError):  # who reads the daemon notices too, and sees to it
            daemon.sendall(line)

    def _read_daemon(self, daemon: socket.socket) -> None:
        """Until the daemon is gone."""
        data, self._rest = self._rest, b""
        parts = [data]
        while True:
            if b"\n" in data:
                whole, _, after = b"".join(parts).rpartition(b"\n")
                self._hand_over((whole + b"\n").splitlines(keepends=True))
                parts = [after]
            data = daemon.recv(READ_BYTES)
            if not data:
                return
            parts.append(data)

    def _hand_over(self, lines: list[bytes]) -> None:
        with self._changed:
            kept = [self._conversation.to_host(line) for line in lines]
        self._write(kept)

    def _find_another(self) -> bool:
        """Goes on with a new daemon. False when the host has left."""
        if self._conversation.stopped and not self._host_left:
            self._conversation.stopped = False
            self._refuse("toolrouter was stopped on request; the next request starts it again", 0)
        elif self._keeps_ending():
            self._refuse("toolrouter keeps ending right after its start; `toolrouter logs` says why", RETRY_S)
        while self._is_needed:
            try:
                daemon, rest = join(self._place, **self._wishes, first_id=self._conversation.highest_id)
            except NoDaemon as error:
                self._refuse(f"toolrouter does not run, and could not be started: {error}", RETRY_S)
                continue
            self._joined_at = time.monotonic()
            self._go_on_with(daemon, rest)
            return True
        return False

    def _go_on_with(self, daemon: socket.socket, rest: bytes) -> None:
        with self._changed:
            to_daemon, to_host = self._conversation.resume()
            # What the host says now must come after this; a daemon that dies meanwhile is noticed by its next reader.
            with contextlib.suppress(OSError):
                daemon.sendall(b"".join(to_daemon))
                if self._host_left:
                    daemon.shutdown(socket.SHUT_WR)
            self._daemon, self._rest, self._first = daemon, rest, None
            self._changed.notify_all()
        self._write(to_host)

    def _lose(self, daemon: socket.socket) -> None:
        with self._changed:
            daemon.close()
            self._daemon = None

    @property
    def _is_needed(self) -> bool:
        """Whether a host is there, or left before the first daemon could answer what it asked."""
        return not self._host_left or (not self._joined_at and self._conversation.awaits_answers)

    def _keeps_ending(self) -> bool:
        self._short_lives = self._short_lives + 1 if time.monotonic() - self._joined_at < RETRY_S else 0
        return self._short_lives >= SHORT_LIVES

    def _refuse(self, reason: str, patience_s: float) -> None:
        """Answers all that waits with an error; returns when the host wants something, and patience has run out."""
        patience = time.monotonic() + patience_s
        while True:
            with self._changed:
                self._wanted = False
                answers = self._conversation.refuse_all(reason)
            self._write(answers)
            with self._changed:
                while not (self._wanted or self._host_left):
                    self._changed.wait()
                if self._host_left or time.monotonic() > patience:
                    return

    def _write(self, lines: list[bytes]) -> None:
        rest = memoryview(b"".join(lines))
        try:
            with self._writing:
                while rest:
                    rest = rest[os.write(1, rest) :]
        except OSError:
            os._exit(0)  # the host is gone


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, text.encode(errors="replace") + b"\n")


def _binary_streams() -> None:
    if sys.platform == "win32":
        import msvcrt

        for fd in (0, 1):
            msvcrt.setmode(fd, os.O_BINARY)

"""The first line of each side of a connection to the daemon.

A client proves with the record's secret that it may read the record; the daemon proves with the record's answer that
it wrote it. Until then neither says anything else: a port may have passed to another program meanwhile.
"""

from __future__ import annotations

import json
import socket

from toolrouter import __version__

PROTOCOL = 1
"""Of these lines, and of what follows them. A daemon of another one cannot be joined."""
LONGEST = 65_536
OLDER, WRONG_SECRET, STOPPING = "older", "secret", "stopping"


class Refused(Exception):
    """The daemon answered, and does not serve us. `reason` is one of the words above."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def hello(record: dict[str, object], want: str, **more: object) -> bytes:
    """A client's first line. `want`: serve, status, stop, restart."""
    words = {"toolrouter": PROTOCOL, "version": __version__, "secret": record.get("secret"), "want": want, **more}
    return json.dumps(words).encode() + b"\n"


def read_line(connection: socket.socket) -> tuple[bytes, bytes]:
    """One line, and what came after it. Raises OSError, also when the connection ends before the line does."""
    data = b""
    while b"\n" not in data:
        chunk = connection.recv(LONGEST)
        if not chunk or len(data) > LONGEST * 64:
            raise ConnectionError("the daemon left without an answer")
        data += chunk
    line, _, rest = data.partition(b"\n")
    return line, rest


def greet(
    connection: socket.socket, record: dict[str, object], want: str, **more: object
) -> tuple[dict[str, object], bytes]:
    """Says hello; returns the daemon's answer, and the bytes that followed it. Raises OSError or Refused."""
    connection.sendall(hello(record, want, **more))
    line, rest = read_line(connection)
    try:
        answer = json.loads(line)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or not record.get("answer") or answer.get("answer") != record["answer"]:
        raise ConnectionError("something else answers at the daemon's address")
    if "refused" in answer:
        raise Refused(str(answer["refused"]))
    return answer, rest


def is_older(version: object, than: object) -> bool:
    """Whether a package version comes before another. There are no ties: two never replace each other."""
    return _order(version) < _order(than)


def _order(version: object) -> tuple[tuple[int, ...], bool, str]:
    text = str(version)
    release = text.split("+")[0]
    numbers: list[int] = []
    for part in release.split("."):
        digits = "".join(character for character in part if character.isdigit())
        if not part.isdigit():
            return tuple(numbers), False, text  # 1.0rc1 and 1.0.dev3 come before 1.0
        numbers.append(int(digits))
    return tuple(numbers), True, text

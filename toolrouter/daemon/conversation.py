"""What a host and the daemon have said to each other, as far as another daemon must know it to go on.

The connector shows this every line, in both directions. When the daemon is gone, `resume` says what its successor is
told first and what the host is told meanwhile, so that the host notices failed calls at most.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolrouter.daemon.left import FirstAnswers

OUTCOME_UNKNOWN = -32000
GOODBYE = b'{"toolrouter":"stopped"}\n'
"""The daemon's last line when a person stopped it."""
_OURS = "toolrouter-again-"
"""Ids of requests that the connector repeats by itself; their answers are not the host's."""
_HEAD = re.compile(rb'\{"jsonrpc":"2\.0","id":(-?\d+|"(?:[^"\\]|\\.){0,200}"),"(result|error|method)":')
"""How the daemon writes what has an id: the rest of the line need not be parsed, however long it is."""
_ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
_LOOKING = frozenset({"search_tools", "describe_tools"})
"""Our own tools that change nothing: asking twice does no harm."""


class Request:
    """A request of the host without an answer."""

    __slots__ = ("line", "listens", "lists", "method", "params", "repeatable", "repeated", "sent", "what")

    def __init__(self, line: bytes, method: str, params: dict[str, object]) -> None:
        self.line = line
        self.method = method
        self.params = params
        self.sent = False
        self.repeated = False
        self.listens = method == "subscriptions/listen"
        self.lists = method == "tools/list" and params.get("cursor") is None
        name = params.get("name") if method == "tools/call" else None
        self.repeatable = method != "tools/call" or name in _LOOKING
        self.what = f"the call of {name}" if name else method


class Conversation:
    """One host's. Not thread-safe."""

    def __init__(self) -> None:
        self.waiting: dict[object, Request] = {}
        self._asked: dict[object, None] = {}
        """Ids of the daemon's own requests that the host has not answered."""
        self._opening: bytes | None = None
        self._opened: bytes | None = None
        self._log_level: dict[str, object] | None = None
        self._subscribed: dict[str, dict[str, object]] = {}
        self._silent: set[object] = set()
        """Ids whose next acknowledgement the host has seen already."""
        self._shown: int | None = None
        """Stands for the first page of tools that the host was shown last."""
        self._looking_again = ""
        """Our own request whose answer tells whether a successor would show another one."""
        self._ours = 0
        self.highest_id = 0
        """Of the daemon's requests: its successor counts on from there."""
        self.stopped = False
        """Whether the daemon was stopped on request: then nobody brings it back before it is needed."""

    @property
    def awaits_answers(self) -> bool:
        return any(not request.listens for request in self.waiting.values())

    def from_host(self, line: bytes) -> list[Request]:
        """Takes a line of the host in; returns the requests in it."""
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            return []
        members = said if isinstance(said, list) else [said]
        # A batch is repeated message by message, so that what was answered is not asked again.
        lines = [line] if members is not said else [json.dumps(member).encode() + b"\n" for member in members]
        taken = (self._take(member, each) for member, each in zip(members, lines, strict=True))
        return [request for request in taken if request is not None]

    def answer_first(self, first: FirstAnswers) -> list[bytes]:
        """Answers what waits for a daemon, as far as it can be answered without one."""
        answers = []
        for request_id, request in list(self.waiting.items()):
            line = None if request.sent else first.answer(request_id, request.method, request.params)
            if line is not None and self.to_host(line):
                answers.append(line)
        return answers

    def to_host(self, line: bytes) -> bytes:
        """Takes a line of the daemon in; returns what the host is sent: mostly that line, sometimes nothing."""
        head = _HEAD.match(line)
        if line == GOODBYE:
            self.stopped = True
            return b""
        if head is None:
            return line if self._is_news(line) else b""
        request_id = json.loads(head[1])
        if head[2] == b"method":
            self._asked[request_id] = None
            if isinstance(request_id, int):
                self.highest_id = max(self.highest_id, request_id)
            return line
        if isinstance(request_id, str) and request_id.startswith(_OURS):
            return self._look_at_own(request_id, line[head.end() :])
        request = self.waiting.pop(request_id, None)
        if request is not None and request.lists and head[2] == b"result":
            self._shown = hash(line[head.end() :])
        self._silent.discard(request_id)
        return line

    def resume(self) -> tuple[list[bytes], list[bytes]]:
        """After the daemon was lost: what to tell its successor, and what to tell the host."""
        to_host = [
            _line(
                {"method": "notifications/cancelled", "params": {"requestId": each, "reason": "toolrouter restarted"}}
            )
            for each in self._asked
        ]
        self._asked.clear()
        to_daemon = list(self._opening_again())
        for request_id, request in list(self.waiting.items()):
            if request.sent and (not request.repeatable or request.repeated):
                del self.waiting[request_id]
                to_host.append(_error(request_id, _lost(request)))
                continue
            if request.sent and request.listens:
                self._silent.add(request_id)
            request.repeated = request.sent and not request.listens
            request.sent = True
            to_daemon.append(request.line)
        return to_daemon, to_host

    def refuse_all(self, reason: str) -> list[bytes]:
        """Answers everything that waits with an error. Subscriptions wait on."""
        refused = [request_id for request_id, request in self.waiting.items() if not request.listens]
        for request_id in refused:
            del self.waiting[request_id]
        return [_error(request_id, reason) for request_id in refused]

    def _take(self, message: object, line: bytes) -> Request | None:
        if not isinstance(message, dict):
            return None
        method, request_id = message.get("method"), message.get("id")
        params = message.get("params")
        params = params if isinstance(params, dict) else {}
        if not isinstance(method, str):
            self._asked.pop(request_id if isinstance(request_id, str | int) else None, None)
            return None
        if not isinstance(request_id, str | int):
            self._take_notification(method, params, line)
            return None
        self._remember(method, params, line)
        request = self.waiting[request_id] = Request(line, method, params)
        return request

    def _take_notification(self, method: str, params: dict[str, object], line: bytes) -> None:
        if method == "notifications/initialized":
            self._opened = line
        elif method == "notifications/cancelled":
            cancelled = params.get("requestId")
            if isinstance(cancelled, str | int):
                self.waiting.pop(cancelled, None)

    def _remember(self, method: str, params: dict[str, object], line: bytes) -> None:
        """What a session is told once and holds to the end."""
        uri = str(params.get("uri"))
        if method == "initialize":
            self._opening = line
        elif method == "logging/setLevel":
            self._log_level = params
        elif method == "resources/subscribe":
            self._subscribed[uri] = params
        elif method == "resources/unsubscribe":
            self._subscribed.pop(uri, None)

    def _opening_again(self) -> list[bytes]:
        if self._opening is None:
            return []
        message = json.loads(self._opening)
        if message.get("id") in self.waiting:
            return []  # not answered yet: it is repeated as what it is
        lines = [self._again("initialize", message.get("params"))]
        if self._opened is not None:
            lines.append(self._opened)
        if self._log_level is not None:
            lines.append(self._again("logging/setLevel", self._log_level))
        lines += [self._again("resources/subscribe", params) for params in self._subscribed.values()]
        if self._shown is not None:
            # A daemon announces changes of lists that it has shown; and its first one may differ already.
            lines.append(self._again("tools/list", {}))
            self._looking_again = f"{_OURS}{self._ours}"
        return lines

    def _look_at_own(self, request_id: str, rest: bytes) -> bytes:
        if request_id != self._looking_again or hash(rest) == self._shown:
            return b""
        return _line({"method": "notifications/tools/list_changed"})

    def _again(self, method: str, params: object) -> bytes:
        self._ours += 1
        return _line({"id": f"{_OURS}{self._ours}", "method": method, "params": params})

    def _is_news(self, line: bytes) -> bool:
        if not self._silent or _ACKNOWLEDGED.encode() not in line[:200]:
            return True
        message = json.loads(line)
        meta = (message.get("params") or {}).get("_meta") or {}
        known = meta.get("io.modelcontextprotocol/subscriptionId")
        if known not in self._silent:
            return True
        self._silent.discard(known)
        return False


def _line(message: dict[str, object]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _error(request_id: object, reason: str) -> bytes:
    return _line({"id": request_id, "error": {"code": OUTCOME_UNKNOWN, "message": reason}})


def _lost(request: Request) -> str:
    return (
        f"toolrouter was restarted while {request.what} was under way. It may have been carried out or not: "
        "look before you repeat it."
    )

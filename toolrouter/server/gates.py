"""What stands between a host and a call: class of the tool, flow of data, and the record of it.

A conversation is what one connection of a host does. It is found through a context variable, because calls come
through several layers that have no other business with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from toolrouter.catalog.snapshot import Catalog
from toolrouter.config import FlowPolicy, Settings
from toolrouter.errors import NotFound
from toolrouter.guard.classes import ToolClass, class_of
from toolrouter.guard.flows import Conversation, legs_of, legs_of_read
from toolrouter.server.words import clip, refusal_to_write
from toolrouter.types import JsonObject, Status, Tool

CONVERSATION: ContextVar[Conversation | None] = ContextVar("conversation", default=None)
_NAME_CHARS: Final = 100
_CHANGED: Final = "changed since it was approved"

Audit = Callable[[JsonObject], None]
"""Takes one event for the audit log. Called on the event loop: it must return at once and never raise."""


def speaking_for(conversation: Conversation, client_info: object) -> None:
    """Says whose request the current task is about."""
    name = client_info.get("name") if isinstance(client_info, dict) else None
    if isinstance(name, str) and name:
        conversation.host = "".join(char for char in name[:_NAME_CHARS] if char.isprintable())
    CONVERSATION.set(conversation)


@dataclass(slots=True)
class Record:
    """One call as the audit log will have it."""

    name: str
    tool: Tool | None = None
    decision: str = "allowed"
    outcome: str = ""

    def refuse(self, why: str) -> None:
        self.decision = f"refused: {why}"

    def returned(self, result: JsonObject) -> None:
        self.outcome = "error" if result.get("isError") is True else "ok"

    def event(self, elapsed_ms: float) -> JsonObject:
        conversation = CONVERSATION.get()
        tool = self.tool
        return {
            "kind": "call",
            "host": conversation.host if conversation else "",
            "tool": tool.id if tool else self.name[:_NAME_CHARS],
            "server": tool.server if tool else "",
            "hash": tool.hash if tool else "",
            "decision": self.decision,
            "outcome": self.outcome,
            "ms": elapsed_ms,
        }


class Gates:
    """The checks of one router."""

    def __init__(self, settings: Callable[[], Settings], catalog: Callable[[], Catalog]) -> None:
        self.audit: Audit | None = None
        """Who keeps the audit log; nobody at first."""
        self._now = settings
        self._catalog = catalog

    @property
    def _settings(self) -> Settings:
        return self._now()

    @contextmanager
    def recorded(self, name: str) -> Iterator[Record]:
        """Writes down what becomes of one call, however it ends."""
        record = Record(name)
        started = time.perf_counter()
        try:
            yield record
        except NotFound:
            self._refuse_unseen(record)
            raise
        except BaseException as error:
            record.outcome = record.outcome or f"failed: {type(error).__name__}"
            raise
        finally:
            if self.audit is not None:
                self.audit(record.event(round((time.perf_counter() - started) * 1000, 2)))

    def _refuse_unseen(self, record: Record) -> None:
        """For the person alone: a host is never told of what it may not see."""
        if record.tool is not None:
            record.refuse(_CHANGED)
            return
        known = record.tool = self._catalog().known(record.name)
        if known is None:
            record.refuse("no such tool")
        elif known.status is Status.APPROVED:
            record.refuse("hidden by the config")
        elif known.status is Status.WITHDRAWN:
            record.refuse(f"withdrawn ({known.reason or _CHANGED})")
        else:
            record.refuse(known.status.value)

    def refusal(self, tool: Tool, record: Record, *, read_only: bool) -> str:
        """Why the call must not be made, for the model; empty when it may."""
        options = self._settings.options(tool.server)
        if read_only and class_of(tool, options) is not ToolClass.READ:
            record.refuse("not read-only")
            return refusal_to_write(tool)
        return self._flow(tool, record)

    def note_read(self, alias: str, name: str, qualified: str) -> None:
        """A prompt or a resource has come into the conversation."""
        conversation = CONVERSATION.get()
        if self._settings.router.flows is not FlowPolicy.OFF and conversation is not None:
            legs = legs_of_read(name, qualified, self._settings.options(alias))
            conversation.note(f"{alias}: {clip(name, _NAME_CHARS)}", legs)

    def _flow(self, tool: Tool, record: Record) -> str:
        conversation = CONVERSATION.get()
        policy = self._settings.router.flows
        if policy is FlowPolicy.OFF or conversation is None:
            return ""
        legs = legs_of(tool, self._settings.options(tool.server))
        if conversation.completes(legs):
            if policy is FlowPolicy.DENY:
                record.refuse("flow")
                return (
                    f"{tool.id} was not called: this conversation already holds {conversation.story()}, and this tool "
                    "could send it out. Tell the user; they can allow it in toolrouter's config (`flows`)."
                )
            record.decision = f"warned: flow ({conversation.story()})"
        conversation.note(tool.id, legs)
        return ""

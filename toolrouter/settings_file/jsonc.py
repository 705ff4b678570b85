"""JSON as people write it by hand: comments, trailing commas, a byte-order mark.

The parser keeps the place of every value, so that an error can name its line and an edit can leave the rest of the
file as it was. It is for config files: small, read once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_BLANK = re.compile(r"(?:[ \t\r\n\ufeff]+|//[^\n]*|/\*.*?\*/)+", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_$][\w$.-]*")
_LITERALS = {"true": True, "false": False, "null": None}
_STRINGS = json.JSONDecoder()
_DEEPEST = 100


class SyntaxFault(ValueError):
    """The text is not JSON. `line` and `column` count from 1."""

    def __init__(self, message: str, text: str, offset: int) -> None:
        super().__init__(message)
        self.line, self.column = line_and_column(text, offset)


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands: `text[start:end]`."""

    value: Any
    start: int
    end: int
    members: tuple[Member, ...] = ()
    """Of an object, in the order of the text."""
    items: tuple[Node, ...] = ()
    """Of an array."""

    def member(self, key: str) -> Member | None:
        return next((member for member in self.members if member.key == key), None)

    def at(self, path: Sequence[str | int]) -> Node | None:
        """The value under keys and indices, or None when there is none."""
        node: Node | None = self
        for step in path:
            if node is None:
                return None
            node = node._child(step)
        return node

    def _child(self, step: str | int) -> Node | None:
        if isinstance(step, int):
            return self.items[step] if step < len(self.items) else None
        member = self.member(step)
        return member.node if member else None


@dataclass(frozen=True, slots=True)
class Member:
    """A key of an object and its value. `start` is where the key's quote stands."""

    key: str
    start: int
    node: Node = field(repr=False)


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Both count from 1."""
    return text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1


def parse(text: str) -> Node:
    """Raises SyntaxFault; a key that stands twice in one object is a fault too."""
    reader = _Reader(text)
    start = reader.skip(0)
    if start == len(text):
        raise SyntaxFault("the file is empty; the least it can hold is {}", text, start)
    node = reader.value(start, 0)
    rest = reader.skip(node.end)
    if rest != len(text):
        raise SyntaxFault(f"expected the end of the file, found {reader.excerpt(rest)}", text, rest)
    return node


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text

    def skip(self, at: int) -> int:
        """Past white space and comments."""
        found = _BLANK.match(self.text, at)
        at = found.end() if found else at
        if self.text.startswith("/*", at):
            raise self.fault("this comment has no end (*/)", at)
        return at

    def fault(self, message: str, at: int) -> SyntaxFault:
        return SyntaxFault(message, self.text, at)

    def excerpt(self, at: int) -> str:
        if at >= len(self.text):
            return "the end of the file"
        word = _WORD.match(self.text, at)
        return f"`{word[0][:30]}`" if word else f"`{self.text[at]}`"

    def value(self, at: int, depth: int) -> Node:
        if depth > _DEEPEST:
            raise self.fault(f"nested deeper than {_DEEPEST} levels", at)
        match self.text[at : at + 1]:
            case "{":
                return self._object(at, depth)
            case "[":
                return self._array(at, depth)
            case '"':
                text, end = self._string(at)
                return Node(text, at, end)
            case _:
                return self._scalar(at)

    def _scalar(self, at: int) -> Node:
        number = _NUMBER.match(self.text, at)
        if number:
            return Node(json.loads(number[0]), at, number.end())
        word = _WORD.match(self.text, at)
        if word and word[0] in _LITERALS:
            return Node(_LITERALS[word[0]], at, word.end())
        if self.text[at : at + 1] == "'":
            raise self.fault("expected double quotes (\"), found a single one (')", at)
        raise self.fault(f"expected a value, found {self.excerpt(at)}", at)

    def _string(self, at: int) -> tuple[str, int]:
        try:
            text, end = _STRINGS.raw_decode(self.text, at)
        except json.JSONDecodeError as error:
            if "escape" in error.msg:
                message = "a backslash must be doubled (\\\\) or start an escape such as \\n"
                raise self.fault(message, error.pos) from error
            raise self.fault("this text has no closing quote on its line", at) from error
        return str(text), end

    def _object(self, start: int, depth: int) -> Node:
        members: dict[str, Member] = {}
        at = self.skip(start + 1)
        while not self.text.startswith("}", at):
            member = self._member(at, depth)
            if member.key in members:
                first, _ = line_and_column(self.text, members[member.key].start)
                again, _ = line_and_column(self.text, at)
                raise self.fault(f'"{member.key}" stands twice: in line {first} and again in line {again}', at)
            members[member.key] = member
            at = self._after(member.node.end, "}", start)
        value = {key: member.node.value for key, member in members.items()}
        return Node(value, start, at + 1, members=tuple(members.values()))

    def _member(self, at: int, depth: int) -> Member:
        if not self.text.startswith('"', at):
            raise self.fault(f"expected a key in double quotes or }}, found {self.excerpt(at)}", at)
        key, end = self._string(at)
        colon = self.skip(end)
        if not self.text.startswith(":", colon):
            raise self.fault(f'expected : after "{key}", found {self.excerpt(colon)}', colon)
        return Member(key, at, self.value(self.skip(colon + 1), depth + 1))

    def _array(self, start: int, depth: int) -> Node:
        items: list[Node] = []
        at = self.skip(start + 1)
        while not self.text.startswith("]", at):
            items.append(self.value(at, depth + 1))
            at = self._after(items[-1].end, "]", start)
        return Node([item.value for item in items], start, at + 1, items=tuple(items))

    def _after(self, end: int, closing: str, opened: int) -> int:
        """From behind a value to the next one, or to the closing bracket."""
        at = self.skip(end)
        if self.text.startswith(",", at):
            return self.skip(at + 1)
        if self.text.startswith(closing, at):
            return at
        if at == len(self.text):
            line, _ = line_and_column(self.text, opened)
            raise self.fault(f"the file ends before the {self.text[opened]} of line {line} is closed by {closing}", at)
        raise self.fault(f"expected , or {closing}, found {self.excerpt(at)}: a comma may be missing before it", end)

"""Results without what no reader sees: terminal control, bidi overrides, and letters that only a model reads.

Text is all that is touched, wherever in a result it stands, names of fields included: a model reads them too. Binary
content is base64 and has nothing of the kind.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from toolrouter.errors import RpcError
from toolrouter.types import JsonObject

if TYPE_CHECKING:
    from toolrouter.ports import OnProgress
    from toolrouter.server.parking import Sends

MARK: Final = "toolrouter/removed"
"""In `_meta` of a result: how many characters were taken out."""
SOURCE: Final = "toolrouter/server"
"""Whose result that was."""
_OURS: Final = "toolrouter/"
"""How what we say in `_meta` begins: a server has no say in it."""
_OPAQUE: Final = frozenset({"requestState", "nextCursor", "inputRequests"})
"""Tokens, which go back as they came, and questions, which are looked at where they are asked."""

# Escape sequences whole (colours, cursor moves, titles, links), then every control but tab and line ends, the
# embeddings, overrides and isolates of bidi text, and the tag and private variation letters.
_LETTER: Final = (
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f\U000e0100-\U000e01ef]"
)
_ANY_UNSEEN: Final = re.compile(_LETTER)
_UNSEEN: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?|\x1b[@-Z\\-_]?"
    r"|\x9b[0-?]*[ -/]*[@-~]"
    # A letter for variants stays behind the ideograph that it belongs to: names of people and places need it.
    rf"|{_LETTER}(?<![\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff][\U000e0100-\U000e01ef])"
)
_FLAG: Final = re.compile("\U0001f3f4[\U000e0061-\U000e007a\U000e0030-\U000e0039]{1,6}\U000e007f")


def cleaned(result: JsonObject, server: str) -> JsonObject:
    """Returns a result whose texts show all that is in them; the very same object when there is nothing to remove."""
    result = _without_claims(result)
    clean, removed = clean_strings({key: value for key, value in result.items() if key not in _OPAQUE})
    if not removed:
        return result
    meta = clean.get("_meta")
    marked = {**(meta if isinstance(meta, dict) else {}), MARK: removed, SOURCE: server}
    return {**clean, **{key: result[key] for key in _OPAQUE & result.keys()}, "_meta": marked}


def _without_claims(result: JsonObject) -> JsonObject:
    meta = result.get("_meta")
    if not isinstance(meta, dict) or not any(key.startswith(_OURS) for key in meta):
        return result
    return {**result, "_meta": {key: value for key, value in meta.items() if not key.startswith(_OURS)}}


def clean_strings(root: JsonObject) -> tuple[JsonObject, int]:
    """Returns `root` with every text in it cleaned, at whatever depth, and how many characters that took out.

    Where something is taken out it is a copy.
    """
    if not _holds_unseen(root):
        return root, 0
    copy = dict(root)
    waiting: list[Any] = [copy]
    removed = 0
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            removed += _clean_names(node)
        for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
            if isinstance(value, str):
                node[key], count = clean_text(value)
                removed += count
            elif isinstance(value, (dict, list)):
                node[key] = value.copy()
                waiting.append(node[key])
    return copy, removed


def _holds_unseen(root: JsonObject) -> bool:
    """Whether there may be something to take out. Nearly always not, and results may be large: nothing is copied."""
    waiting: list[Any] = [root]
    while waiting:
        node = waiting.pop()
        texts: list[str] = list(node) if isinstance(node, dict) else []
        for value in node.values() if isinstance(node, dict) else node:
            if isinstance(value, str):
                texts.append(value)
            elif isinstance(value, (dict, list)):
                waiting.append(value)
        if _may_hide("".join(texts)):  # most nodes hold many short ones
            return True
    return False


def _clean_names(node: JsonObject) -> int:
    """Cleans the names of an object's fields in place. One that is another's name then gets a number."""
    clean = {key: clean_text(key) for key in node}
    removed = sum(count for _, count in clean.values())
    if removed:
        fields = list(node.items())
        taken = {key for key, (_, count) in clean.items() if not count}
        more: Counter[str] = Counter()
        node.clear()
        for key, value in fields:
            shown, count = clean[key]
            name = shown
            while count and name in taken:
                more[shown] += 1
                name = f"{shown}_{more[shown] + 1}"
            taken.add(name)
            node[name] = value
    return removed


class CleanWords:
    """Sends by a fleet and cleans what comes back: results, errors and what is told on the way. Satisfies `Sends`."""

    def __init__(self, fleet: Sends) -> None:
        self._fleet = fleet

    async def request(
        self,
        alias: str,
        method: str,
        params: JsonObject | None,
        *,
        timeout_s: float | None = None,
        on_progress: OnProgress | None = None,
        before_send: Callable[[], None] | None = None,
    ) -> JsonObject:
        """What the fleet's `request` returns and raises, without what no reader sees."""
        told = None if on_progress is None else _clean_progress(on_progress)
        try:
            result = await self._fleet.request(
                alias, method, params, timeout_s=timeout_s, on_progress=told, before_send=before_send
            )
        except RpcError as error:
            said, _ = clean_strings({"message": error.message, "data": error.data})
            raise RpcError(error.code, said["message"], said["data"]) from error
        return cleaned(result, alias)


def _clean_progress(on_progress: OnProgress) -> OnProgress:
    async def tell(params: JsonObject) -> None:
        await on_progress(clean_strings(params)[0])

    return tell


def _may_hide(text: str) -> bool:
    return not (text.isascii() and text.isprintable()) and _ANY_UNSEEN.search(text) is not None


def clean_text(text: str) -> tuple[str, int]:
    """Returns a text without what does not show, and how many characters that were."""
    if not _may_hide(text):
        return text, 0
    # The flags of Scotland, England and Wales are spelt with tag letters.
    flags = [found.span() for found in _FLAG.finditer(text)]
    kept = _UNSEEN.sub(lambda found: found[0] if _within(found.start(), flags) else "", text)
    return kept, len(text) - len(kept)


def _within(position: int, spans: list[tuple[int, int]]) -> bool:
    return any(start <= position < end for start, end in spans)

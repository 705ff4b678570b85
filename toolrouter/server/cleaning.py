"""Results without what no reader sees: terminal control, bidi overrides, and letters that only a model reads.

Text is all that is touched, wherever in a result it stands; binary content is base64 and has nothing of the kind.
"""

from __future__ import annotations

import re
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
_SAID: Final = ("content", "structuredContent", "contents", "messages", "description", "completion")
"""The parts of results that are there to be read; tokens, addresses of pages and questions are not."""

# Escape sequences whole (colours, cursor moves, titles, links), then every control but tab and line ends, the
# embeddings, overrides and isolates of bidi text, and the tag and private variation letters.
_UNSEEN: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?|\x1b[@-Z\\-_]?"
    r"|\x9b[0-?]*[ -/]*[@-~]"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f\U000e0100-\U000e01ef]"
)
_FLAG: Final = re.compile("\U0001f3f4[\U000e0061-\U000e007a\U000e0030-\U000e0039]{1,6}\U000e007f")


def cleaned(result: JsonObject, server: str) -> JsonObject:
    """Returns a result whose texts show all that is in them; the very same object when there is nothing to remove."""
    said: JsonObject = {key: result[key] for key in _SAID if key in result}
    clean, removed = clean_strings(said)
    if not removed:
        return result
    meta = result.get("_meta")
    marked = {**(meta if isinstance(meta, dict) else {}), MARK: removed, SOURCE: server}
    return {**result, **clean, "_meta": marked}


def clean_strings(root: JsonObject) -> tuple[JsonObject, int]:
    """Returns a copy with every text in it cleaned, at whatever depth, and how many characters that took out.

    Names of fields stay: whoever reads a value looks for it under the name it was sent by.
    """
    copy = dict(root)
    waiting: list[Any] = [copy]
    removed = 0
    while waiting:
        node = waiting.pop()
        for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
            if isinstance(value, str):
                node[key], count = clean_text(value)
                removed += count
            elif isinstance(value, (dict, list)):
                node[key] = value.copy()
                waiting.append(node[key])
    return copy, removed


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


def clean_text(text: str) -> tuple[str, int]:
    """Returns a text without what does not show, and how many characters that were."""
    if text.isascii() and text.isprintable():
        return text, 0
    # The flags of Scotland, England and Wales are spelt with tag letters.
    flags = [found.span() for found in _FLAG.finditer(text)]
    kept = _UNSEEN.sub(lambda found: found[0] if _within(found.start(), flags) else "", text)
    return kept, len(text) - len(kept)


def _within(position: int, spans: list[tuple[int, int]]) -> bool:
    return any(start <= position < end for start, end in spans)

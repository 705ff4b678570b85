"""What a daemon leaves in its folder for its owner alone: the config it served by, and what it told hosts first.

A connector answers from it while the next daemon starts. Nothing of it counts longer than what it was made from: the
version of toolrouter, the text of the config, and the version of the catalog, which every change of a definition or a
decision raises in the same transaction. All three are looked at anew for each answer.
"""

from __future__ import annotations

import json
import os

from toolrouter import __version__
from toolrouter.daemon.place import Place

BUSY_S = 0.2
_VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
_CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"

Texts = dict[str, str]
"""Results by method, as they go over the wire."""


def catalog_mark(home: str) -> list[int] | None:
    """The database's file and the version of the catalog in it; None when there is none that can be read."""
    import sqlite3

    path = os.path.join(home, "state.db")
    try:
        inode = os.stat(path).st_ino
        connection = sqlite3.connect(f"file:///{_quoted(path)}?mode=ro", uri=True, timeout=BUSY_S)
        try:
            found = connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
        finally:
            connection.close()
    except (OSError, sqlite3.Error):
        return None
    return [inode, found[0]] if found else None


def config_text(path: str) -> str | None:
    """None when the file cannot be read."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except (OSError, ValueError):
        return None


class FirstAnswers:
    """Answers what a host asks first, until a daemon does."""

    def __init__(self, place: Place, left: dict[str, object], exposure: str | None) -> None:
        self._place = place
        self._made_from = left.get("config"), left.get("catalog"), left.get("version")
        answers = left.get("answers")
        found = answers.get(exposure or "") if isinstance(answers, dict) else None
        self._answers = found if isinstance(found, dict) else {}
        self._era = ""

    def hold(self) -> bool:
        """Whether there are any, and what they were made from is what there is now."""
        place = self._place
        now = config_text(place.config), catalog_mark(place.home), __version__
        return bool(self._answers) and None not in now and now == self._made_from

    def answer(self, request_id: object, method: str, params: dict[str, object]) -> bytes | None:
        """The whole line; None for what only a daemon can answer."""
        era = self._era_of(method, params)
        texts = self._answers.get(era)
        if not isinstance(texts, dict) or not self._suits(era, texts, params):
            return None
        text = self._text(texts, method, params)
        if text is None or not self.hold():
            return None
        self._era = era
        return b'{"jsonrpc":"2.0","id":%b,"result":%b}\n' % (_dump(request_id).encode(), text.encode())

    def _era_of(self, method: str, params: dict[str, object]) -> str:
        """As the daemon's session decides it: the first request does, for good."""
        enveloped = method != "initialize" and _VERSION_KEY in _meta(params)
        if method == "initialize" or (self._era == "handshake" and not enveloped):
            return "handshake" if self._era in ("", "handshake") else "neither"
        return "modern" if enveloped and self._era in ("", "modern") else "neither"

    def _suits(self, era: str, texts: dict[str, object], params: dict[str, object]) -> bool:
        versions, meta = texts.get("versions"), _meta(params)
        if not isinstance(versions, list):
            return False
        return era == "handshake" or (meta[_VERSION_KEY] in versions and _CAPABILITIES_KEY in meta)

    def _text(self, texts: dict[str, object], method: str, params: dict[str, object]) -> str | None:
        if method == "ping" and self._era == "handshake":
            return "{}"
        text = texts.get(method)
        if not isinstance(text, str) or params.get("cursor") is not None:
            return None
        if method != "initialize":
            return text
        wanted = params.get("protocolVersion")
        if not isinstance(wanted, str):
            return None
        result, versions = json.loads(text), texts["versions"]
        return _dump({**result, "protocolVersion": wanted}) if wanted in versions else text  # type: ignore[operator]


def _meta(params: dict[str, object]) -> dict[str, object]:
    meta = params.get("_meta")
    return meta if isinstance(meta, dict) else {}


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _quoted(path: str) -> str:
    """An absolute path as SQLite's URIs want it."""
    path = path.lstrip("/") if os.sep == "/" else path
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23").replace(os.sep, "/")

"""The daemon's side of `left`: keeps what the next connectors and the next daemon go by up to date.

Answers are written only when the snapshot they are made from is saved as exactly that version of the catalog, and the
settings of the config's text are in effect: what changes in between invalidates them, and is never covered by them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import anyio.to_thread

from toolrouter import __version__
from toolrouter.app import Running
from toolrouter.config import Exposure
from toolrouter.daemon.left import catalog_mark
from toolrouter.daemon.place import Place
from toolrouter.errors import ConfigError
from toolrouter.server.exposure import Surface
from toolrouter.server.opening import left_to_connectors
from toolrouter.settings_file import ConfigWatch, Loaded, parse_config, settings_of
from toolrouter.types import JsonObject

logger = logging.getLogger(__name__)


class Leaving:
    """What this daemon leaves."""

    def __init__(self, place: Place, running: Running, watch: ConfigWatch) -> None:
        self._place = place
        self._running = running
        self._watch = watch
        self._wanted: set[Exposure | None] = {None}
        self._made_from: object = None

    def wants(self, exposure: Exposure | None) -> None:
        """Notes what a host was shown in place of the exposure in the settings: it will ask for it again."""
        self._wanted.add(exposure)

    async def look(self) -> None:
        """Writes what is to be left when it would be something else than last time."""
        # In this order: what changes in between makes the answers hold for nobody, never for what came later.
        text = self._watch.text
        applied = self._running.in_effect is self._watch.settings
        version = self._running.catalog.saved_version if applied else None
        made_from = (text, version, frozenset(self._wanted), self._running.router.is_warm)
        if made_from != self._made_from:
            answers = {} if version is None else _answers(self._running, self._wanted)
            written = await anyio.to_thread.run_sync(self._write, text, version, answers)
            self._made_from = made_from if written else None

    def _write(self, text: str, version: int | None, answers: JsonObject) -> bool:
        """False when the store has moved on from this version."""
        mark = catalog_mark(self._place.home)
        current = version is None or (mark is not None and mark[1] == version)
        left: JsonObject = {
            "version": __version__,
            "config": text,
            "catalog": mark,
            "answers": answers if current else {},
        }
        try:
            self._place.write_left(left)
        except OSError as error:
            logger.warning("%s cannot be written, the next start will be slower: %s", self._place.left_path, error)
            with suppress(OSError):
                Path(self._place.left_path).unlink()
        return current


def last_good(place: Place) -> Loaded | None:
    """The config that the last daemon of this place served by, if it can still be used."""
    text = (place.read_left() or {}).get("config")
    if not isinstance(text, str):
        return None
    try:
        return settings_of(parse_config(Path(place.config), text))
    except ConfigError:
        return None


def _answers(running: Running, wanted: Iterable[Exposure | None]) -> JsonObject:
    found: JsonObject = {}
    for exposure in wanted:
        surface = Surface(running.router, exposure)
        try:
            found[exposure.value if exposure else ""] = left_to_connectors(surface)
        finally:
            surface.close()
    return found

"""Follows a config file while it is edited. A broken edit changes nothing but `problem`."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

from toolrouter.config import Settings
from toolrouter.errors import ConfigError
from toolrouter.settings_file.load import Loaded, load_settings

logger = logging.getLogger(__name__)


class ConfigWatch:
    """The config file of a running router, and the last settings that made sense."""

    def __init__(
        self, loaded: Loaded, change: Callable[[Settings], Settings] = lambda settings: settings, *, problem: str = ""
    ) -> None:
        """`change` lays over each reading what the command line said.

        `problem` is given where the file cannot be used and `loaded` is what it held before.
        """
        self.path = Path(os.path.abspath(loaded.path))  # noqa: PTH100  a link is followed anew at each look
        self.settings = change(loaded.settings)
        self.secrets = loaded.secrets
        self.text = loaded.text
        """The file as it was when it was last in order."""
        self.problem = problem
        """Why the file as it stands is not in effect; empty when it is."""
        self._change = change
        self._seen = _signature(self.path)

    def poll(self) -> Settings | None:
        """The new settings after an edit that changed them; else None. Blocks on the disk."""
        signature = _signature(self.path)
        if signature == self._seen:
            return None
        self._seen = signature
        try:
            loaded = load_settings(self.path)
            settings = self._change(loaded.settings)
        except ConfigError as error:
            self.problem = str(error)
            logger.warning("the config was edited and cannot be used, the last one stays in effect: %s", error)
            return None
        if self.problem:
            logger.info("%s can be used again", self.path)
        self.problem = ""
        for warning in loaded.warnings:
            logger.warning("%s", warning)
        changed = settings != self.settings
        if changed:
            self.settings, self.secrets = settings, loaded.secrets
        # Last: who reads the text before the settings never takes it for that of the settings before.
        self.text = loaded.text
        return settings if changed else None


def _signature(path: Path) -> tuple[int, int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0)
    return (status.st_mtime_ns, status.st_ino, status.st_size)

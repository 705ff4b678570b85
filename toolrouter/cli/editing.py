"""What the commands that change the config share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from toolrouter.cli.output import say
from toolrouter.daemon.place import FileLock
from toolrouter.errors import ConfigError
from toolrouter.settings_file import (
    ConfigFile,
    candidates,
    find_config,
    home_folder,
    parse_config,
    read_config,
    settings_of,
)
from toolrouter.settings_file.edit import with_servers, write_config
from toolrouter.types import JsonObject

PATIENCE_S = 10.0


@contextmanager
def sole_editor() -> Iterator[None]:
    """From reading a config to writing it, no other command of this user edits one: nobody's edit is lost.

    Where the state folder cannot be written there is no lock. Raises ConfigError after a bounded wait.
    """
    home = home_folder()
    lock = FileLock(str(home / "editing.lock"))
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = lock.acquire(PATIENCE_S)
    except OSError:
        yield
        return
    if not held:
        raise ConfigError(
            f"Another command has been editing a config for {PATIENCE_S:g} s. Nothing was changed; try again."
        )
    try:
        yield
    finally:
        lock.release()


def default_target() -> Path:
    """Where a new config goes: hosts start toolrouter in any folder, so not in this one."""
    return candidates()[2]


def open_for_editing(config: Path | None) -> ConfigFile:
    """The config that is in use; an empty one in memory where there is none yet. Raises ConfigError."""
    try:
        return read_config(find_config(config))
    except ConfigError:
        path = config or default_target()
        if path.exists():
            raise
        return parse_config(path, "" if path.suffix == ".toml" else "{}\n")


def save_with(file: ConfigFile, servers: Mapping[str, JsonObject]) -> None:
    """Writes the config with these servers in it, if the result can be used. Raises ConfigError."""
    text = with_servers(file, servers)
    settings_of(parse_config(file.path, text))
    save(file.path, text)


def save(path: Path, text: str) -> None:
    backup = write_config(path, text)
    say(f"Wrote {path}" + (f" (as it was: {backup.name})." if backup else "."))

"""Where the config and the state of this machine are found. Standard library only: what hosts start waits for it."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping

from toolrouter.errors import ConfigError

NAMES = ("toolrouter.json", "toolrouter.toml")


def home_path(environ: Mapping[str, str] = os.environ) -> str:
    """Where state lives: `TOOLROUTER_HOME`, else the platform's state folder."""
    chosen = environ.get("TOOLROUTER_HOME")
    return os.path.expanduser(chosen) if chosen else _platform_folder("state", environ)


def candidate_paths(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Where a config is looked for when none is named, in this order."""
    folders = (os.getcwd(), _platform_folder("config", environ))
    return [os.path.join(folder, name) for folder in folders for name in NAMES]


def possible_configs(chosen: str | None = None, environ: Mapping[str, str] = os.environ) -> list[str]:
    """Where the config is, or would be: the one that is named, else all candidates."""
    named = chosen or environ.get("TOOLROUTER_CONFIG")
    return [os.path.expanduser(named)] if named else candidate_paths(environ)


def config_path(chosen: str | None = None, environ: Mapping[str, str] = os.environ) -> str:
    """The config to use. Raises ConfigError when there is none."""
    looked = possible_configs(chosen, environ)
    for path in looked:
        if os.path.isfile(path):
            return path
    if chosen or environ.get("TOOLROUTER_CONFIG"):
        raise ConfigError(_no_such_file(looked[0], "--config" if chosen else "TOOLROUTER_CONFIG"))
    places = "\n".join(f"  {path}" for path in looked)
    raise ConfigError(
        f"No config found. Looked for\n{places}\nMake one with `toolrouter init`, or name one with --config FILE."
    )


def others_may_write(path: str) -> str:
    """Who besides the user can change a file or folder, as a clause; empty when nobody can, or nobody can tell.

    Root is trusted, and so is the group that some systems make for each user alone. Whose a folder is that root uses
    is no matter: in containers it is the person's who mounted it. Raises OSError.
    """
    if sys.platform == "win32":
        return ""
    status = os.stat(path)
    if os.getuid() and status.st_uid not in (os.getuid(), 0):
        return f"{path} belongs to another user (uid {status.st_uid})"
    if status.st_mode & stat.S_IWOTH:
        return f"anyone can write to {path}"
    users = {os.getuid(), status.st_uid}
    if status.st_mode & stat.S_IWGRP and status.st_gid and not any(_has_alone(uid, status.st_gid) for uid in users):
        return f"the group {status.st_gid} can write to {path}"
    return ""


def _has_alone(uid: int, gid: int) -> bool:
    """Whether nobody is in a group but the user it is named after; where names are not known, after the number."""
    if sys.platform == "win32":
        return False
    import grp
    import pwd

    try:
        group, user = grp.getgrgid(gid), pwd.getpwuid(uid)
    except KeyError:
        return gid == uid
    return group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}


def _platform_folder(kind: str, environ: Mapping[str, str], platform: str = sys.platform) -> str:
    if platform == "linux":
        # What platformdirs answers there, without the time it takes to import it.
        variable, default = {"state": ("XDG_STATE_HOME", ".local/state"), "config": ("XDG_CONFIG_HOME", ".config")}[
            kind
        ]
        base = environ.get(variable, "").strip() or os.path.expanduser(f"~/{default}")
        return os.path.join(base, "toolrouter")
    import platformdirs

    find = platformdirs.user_state_dir if kind == "state" else platformdirs.user_config_dir
    return find("toolrouter", appauthor=False)


def _no_such_file(path: str, source: str) -> str:
    from difflib import get_close_matches

    if os.path.isdir(path):
        return f"{path} ({source}) is a folder; name the file in it."
    folder, name = os.path.split(path)
    siblings = os.listdir(folder or ".") if os.path.isdir(folder or ".") else []
    near = get_close_matches(name, siblings, 1)
    hint = (
        f"Did you mean {os.path.join(folder, near[0])}?" if near else "Make one with `toolrouter init --config FILE`."
    )
    return f"{path} ({source}) does not exist. {hint}"

"""Which packages a runner such as npx fetches in whatever version is the newest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

_VERSIONS = {
    "npx": re.compile(r"(?<!^)@(?!latest$)[\w.^~*-]"),
    "bunx": re.compile(r"(?<!^)@(?!latest$)[\w.^~*-]"),
    "uvx": re.compile(r"[=~<>]=|@(?!latest$)\w"),
    "docker": re.compile(r"@sha256:|:(?!latest$)[\w.-]+$"),
}
"""What a package or image with a version of its own looks like, by what runs it."""
_NAMING_A_PACKAGE = {"npx": {"-p", "--package"}, "bunx": {"-p", "--package"}, "uvx": {"--from"}, "docker": set[str]()}
_TAKING_A_VALUE = {
    "npx": {"-c", "--call", "--registry"},
    "bunx": set[str](),
    "uvx": {"--with", "-p", "--python", "--index", "--index-url"},
    "docker": {"-e", "--env", "-v", "--volume", "-p", "--name", "--mount", "--network", "--env-file", "-w", "-u"},
}


def unpinned(command: str, args: Sequence[str]) -> str:
    """The package or image that a runner such as npx fetches in whatever version; empty when there is none."""
    runner = Path(command).stem
    if runner not in _VERSIONS:
        return ""
    words = iter(args)
    for word in words:
        if word in _TAKING_A_VALUE[runner]:
            next(words, "")
        elif word in _NAMING_A_PACKAGE[runner]:
            value = next(words, "")
            return "" if _VERSIONS[runner].search(value) or _is_a_place(value) else value
        elif word == "run" and runner == "docker":
            continue
        elif not word.startswith("-"):
            return "" if _VERSIONS[runner].search(word) or _is_a_place(word) else word
    return ""


def _is_a_place(word: str) -> bool:
    """Whether a folder or an address is meant: it is what it is, or names a commit."""
    return word.startswith((".", "/", "~", "git+", "https:", "http:", "file:"))

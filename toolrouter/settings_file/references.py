"""`${NAME}`, `${NAME:-default}` and `${keyring:service/name}` in the strings of a config."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from toolrouter.keyrings import KeyringUnavailable, read_secret

_KEYRING = r"keyring:(?P<service>[^/{}]+)/(?P<entry>[^{}]+)"
_VARIABLE = r"(?:env:)?(?P<name>[A-Za-z_]\w*)(?P<default>:-[^}]*)?"
_REFERENCE = re.compile(rf"\$(?P<escaped>\$)?\{{(?:{_KEYRING}|{_VARIABLE})\}}", re.ASCII)
_SECRET = re.compile(rf"\$(?P<escaped>\$)?\{{{_KEYRING}\}}", re.ASCII)
_PROMPT = re.compile(r"\$\{input:([^}]*)\}")
_SECRET_NAME = re.compile(r"token|key|secret|passw|pwd|auth|credential|cookie|_pat\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MissingVariable:
    """A reference that has nothing to stand for it."""

    at: str
    """The dotted key."""
    name: str
    prompt: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self.at.split("."))

    def __str__(self) -> str:
        if self.prompt:
            return f"{self.at} asks for the input `{self.name}`, which only VS Code knows: write ${{NAME}} and set NAME"
        return (
            f"{self.at} needs the environment variable {self.name}, which is not set: "
            f"set it, or write ${{{self.name}:-default}}"
        )


@dataclass(frozen=True, slots=True)
class MissingSecret:
    """A reference into the keyring that has nothing to stand for it."""

    at: str
    """The dotted key."""
    service: str
    name: str
    reason: str = ""
    """Why the keyring could not be asked; empty when it has no such entry."""

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self.at.split("."))

    def __str__(self) -> str:
        entry = f"{self.service}/{self.name}"
        if self.reason:
            return f"{self.at} needs `{entry}` of the keyring, but {self.reason}"
        return (
            f"{self.at} needs `{entry}` of the keyring, which has no such entry: "
            f"store it with `keyring set {self.service} {self.name}`"
        )


Missing = MissingVariable | MissingSecret


def expand(value: Any, environ: Mapping[str, str], at: str, missing: list[Missing]) -> Any:
    """`value` with the references of all strings in it replaced. What is not set stays, and is added to `missing`.

    An empty variable counts as set, unless there is a default. `$${NAME}` stands for the text `${NAME}`.
    """
    if isinstance(value, str):
        return _expand_text(value, environ, at, missing)
    if isinstance(value, dict):
        return {key: expand(each, environ, f"{at}.{key}", missing) for key, each in value.items()}
    if isinstance(value, list):
        return [expand(each, environ, f"{at}.{number}", missing) for number, each in enumerate(value)]
    return value


def without_secrets(text: str) -> str:
    """`text` with its references into the keyring replaced where that is possible, and all others as they are."""
    return _SECRET.sub(lambda found: found[0] if found["escaped"] else _secret_of(found, "", []), text)


def _expand_text(text: str, environ: Mapping[str, str], at: str, missing: list[Missing]) -> str:
    missing.extend(MissingVariable(at, prompt[1], prompt=True) for prompt in _PROMPT.finditer(text))

    def replaced(found: re.Match[str]) -> str:
        if found["escaped"]:
            return found[0][1:]
        if found["service"]:
            return _secret_of(found, at, missing)
        known = environ.get(found["name"])
        if found["default"] is not None:
            return known or found["default"][2:]
        if known is None:
            missing.append(MissingVariable(at, found["name"]))
            return found[0]
        return known

    return _REFERENCE.sub(replaced, text)


def _secret_of(found: re.Match[str], at: str, missing: list[Missing]) -> str:
    try:
        known, reason = read_secret(found["service"], found["entry"]), ""
    except KeyringUnavailable as error:
        known, reason = None, str(error)
    if known is None:
        missing.append(MissingSecret(at, found["service"], found["entry"], reason))
        return found[0]
    return known


def secrets_in(value: Any, environ: Mapping[str, str]) -> Iterator[str]:
    """What the references in `value` stand for, where they lead into the keyring or their name says secret."""
    if isinstance(value, str):
        names = (found["name"] or "" for found in _REFERENCE.finditer(value))
        yield from (environ[name] for name in names if _SECRET_NAME.search(name) and environ.get(name))
        found = (_secret_of(each, "", []) for each in _SECRET.finditer(value) if not each["escaped"])
        yield from (secret for secret in found if not secret.startswith("${keyring:"))
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from secrets_in(each, environ)

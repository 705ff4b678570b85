"""The platform's keyring (macOS Keychain, Windows Credential Locker, Secret Service), where there is one.

Below everything that keeps secrets. The `keyring` package is optional (`toolrouter[keyring]`) and imported on use.
"""

from __future__ import annotations

from types import ModuleType

from toolrouter.errors import ToolrouterError

SERVICE = "toolrouter"
"""The service under which our own entries stand."""


class KeyringUnavailable(ToolrouterError):
    """There is no keyring to use; the message says why and what to do."""


def read_secret(service: str, name: str) -> str | None:
    """The secret, or None when the keyring has none of that name. Raises KeyringUnavailable."""
    keyring = _keyring()
    try:
        found = keyring.get_password(service, name)
    except Exception as error:  # every backend raises what it likes
        raise KeyringUnavailable(f"the keyring did not answer: {_words(error)}") from error
    return found if isinstance(found, str) else None


def write_secret(service: str, name: str, value: str) -> None:
    """Stores the secret and reads it back. Raises KeyringUnavailable."""
    keyring = _keyring()
    try:
        keyring.set_password(service, name, value)
        stored = keyring.get_password(service, name)
    except Exception as error:  # every backend raises what it likes
        raise KeyringUnavailable(f"the keyring took nothing: {_words(error)}") from error
    if stored != value:
        raise KeyringUnavailable("the keyring did not keep what it was given")


def remove_secret(service: str, name: str) -> None:
    """Forgets the secret; it is no error when there is none. Raises KeyringUnavailable."""
    keyring = _keyring()
    try:
        if keyring.get_password(service, name) is not None:
            keyring.delete_password(service, name)
    except Exception as error:  # every backend raises what it likes
        raise KeyringUnavailable(f"the keyring did not answer: {_words(error)}") from error


def why_unusable() -> str:
    """Why secrets cannot be kept in a keyring here, and what to do; empty when they can."""
    try:
        _keyring()
    except KeyringUnavailable as error:
        return str(error)
    return ""


def _keyring() -> ModuleType:
    try:
        import keyring
        from keyring.backends import fail, null
    except ImportError as error:
        words = "the package `keyring` is not installed (`pip install '.[keyring]'` in toolrouter's checkout)"
        raise KeyringUnavailable(words) from error
    backend = keyring.get_keyring()
    if isinstance(backend, fail.Keyring | null.Keyring) or not _has_store(backend):
        raise KeyringUnavailable("the package `keyring` is installed and finds no keyring service on this machine")
    return keyring


def _has_store(backend: object) -> bool:
    """A chain of several keyrings may be empty."""
    members = getattr(backend, "backends", None)
    return members is None or bool(members)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__

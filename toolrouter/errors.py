"""The exception tree.

ToolrouterError
├── ConfigError          the configuration cannot be used: file, key, what was expected
├── StoreError           the state on disk cannot be read or written
├── ModelError           an embedding model or endpoint cannot be used
├── UpstreamError        an upstream cannot be reached, or broke off
│   ├── UpstreamTimeout  ... or did not answer in time
│   └── LoginNeeded      ... or wants a person to log in first
├── RpcError             a JSON-RPC error of a peer, or one of ours for the host
└── NotFound             no such tool, server or result; carries near matches

Each message says what happened, to which server or tool, and what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class ToolrouterError(Exception):
    """The root. Whatever else escapes is a bug."""


class ConfigError(ToolrouterError):
    """The configuration cannot be used."""


class StoreError(ToolrouterError):
    """The state on disk cannot be read or written."""


class ModelError(ToolrouterError):
    """An embedding model or endpoint cannot be used."""


class UpstreamError(ToolrouterError):
    """An upstream cannot be reached or broke off. `server` is its alias."""

    def __init__(self, server: str, message: str) -> None:
        super().__init__(message)
        self.server = server


class UpstreamTimeout(UpstreamError):
    """An upstream did not answer in time."""


LOGIN_NEEDED = "login needed: run `toolrouter login"
"""How the message of LoginNeeded starts, after the alias: errors are also kept as text."""

NAME_UNKNOWN = "cannot be resolved (DNS)"
"""What the message for a host says whose name leads nowhere."""


class LoginNeeded(UpstreamError):
    """An upstream wants a person to log in (again)."""


class RpcError(ToolrouterError):
    """A JSON-RPC error object: what a peer answered, or what we answer."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class NotFound(ToolrouterError):
    """No such tool, server or result."""

    def __init__(self, message: str, near: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.near = tuple(near)

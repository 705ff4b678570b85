"""Where logins are kept: a file per server, for its owner only, with its secrets in the keyring if there is one.

A login is bound to the server's alias and address and to the issuer that granted it. Processes share it: whoever
renews it does so under `locked`, and the others see by `mark` that it changed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import anyio

from toolrouter.errors import StoreError
from toolrouter.keyrings import SERVICE, KeyringUnavailable, read_secret, remove_secret, write_secret
from toolrouter.replacing import replace_by
from toolrouter.types import JsonObject

logger = logging.getLogger(__name__)

LOCK_POLL_S = 0.05
LOCK_TIMEOUT_S = 40.0
_IN_KEYRING = "keyring"


@dataclass(frozen=True, slots=True)
class Login:
    """What a login granted, and what is needed to renew it."""

    issuer: str
    token_endpoint: str
    client: JsonObject = field(repr=False)
    """Our registration with the issuer: client_id, client_secret, token_endpoint_auth_method, redirect_uris."""
    access_token: str = field(default="", repr=False)
    """Empty when the issuer would not renew it: a person has to log in again."""
    refresh_token: str = field(default="", repr=False)
    resource: str = ""
    """The resource indicator (RFC 8707) the tokens are for; empty when the server named none."""
    scope: str = ""
    revocation_endpoint: str = ""
    renew_at: float = 0.0
    """Unix time from which it should be renewed; 0 when it does not expire."""
    expires_at: float = 0.0

    def ended(self) -> Login:
        return replace(self, access_token="", refresh_token="")


class LoginStore:
    """The login of one server."""

    def __init__(self, home: Path, alias: str, url: str) -> None:
        self.alias = alias
        self.url = url
        mark = hashlib.sha256(json.dumps([alias, url]).encode()).hexdigest()[:16]
        self._path = home / "logins" / f"{alias}-{mark}.json"
        self._entry = f"login/{alias}-{mark}"

    def mark(self) -> tuple[int, int]:
        """Changes whenever the login does; zeros when there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_ino)

    def read(self) -> Login | None:
        """Raises StoreError when it is there and cannot be read."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            if found.pop("secrets", "") == _IN_KEYRING:
                found |= json.loads(read_secret(SERVICE, self._entry) or "null") or {}
            known = {name: found[name] for name in Login.__dataclass_fields__ if name in found}
            return Login(**known)
        except FileNotFoundError:
            return None
        except KeyringUnavailable as error:
            raise StoreError(f"The login of {self.alias} is in the keyring, but {error}.") from error
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise StoreError(f"{self._path} cannot be read ({error}); `toolrouter logout {self.alias}`.") from error

    def write(self, login: Login) -> bool:
        """Returns whether its secrets are in the keyring. Raises StoreError."""
        document = asdict(login)
        secrets = {name: document.pop(name) for name in ("access_token", "refresh_token", "client")}
        try:
            write_secret(SERVICE, self._entry, json.dumps(secrets))
            kept: JsonObject = {"secrets": _IN_KEYRING}
        except KeyringUnavailable as error:
            logger.debug("the login of %s goes into a file: %s", self.alias, error)
            kept = secrets
        try:
            _write_private(self._path, json.dumps({"url": self.url, **document, **kept}, indent=2))
        except OSError as error:
            raise StoreError(f"{self._path} cannot be written: {error.strerror or error}.") from error
        return kept is not secrets

    def remove(self) -> bool:
        """Whether there was one."""
        existed = self._path.exists()
        self._path.unlink(missing_ok=True)
        try:
            remove_secret(SERVICE, self._entry)
        except KeyringUnavailable as error:
            logger.debug("nothing of %s is in the keyring: %s", self.alias, error)
        return existed

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Alone among all tasks and processes. Raises StoreError when that takes too long."""
        path = self._path.with_suffix(".lock")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with anyio.move_on_after(LOCK_TIMEOUT_S) as patience:
                while not _lock(descriptor):  # noqa: ASYNC110 - no event tells of another process
                    await anyio.sleep(LOCK_POLL_S)
            if patience.cancelled_caught:
                raise StoreError(f"The login of {self.alias} is being renewed by another process that does not end.")
            yield
        finally:
            os.close(descriptor)  # gives the lock back


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # issuers take each refresh token once: the new one must not be lost
        replace_by(draft, path)
    finally:
        draft.unlink(missing_ok=True)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

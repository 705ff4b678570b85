from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from toolrouter.hosts.places import HOSTS, LINUX, MACOS, WINDOWS, Surroundings


class Keys:
    """A keyring in memory."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}

    def __getitem__(self, name: str) -> str:
        return self.entries["toolrouter", name]


@pytest.fixture
def keys() -> Iterator[Keys]:
    keyring = pytest.importorskip("keyring", reason="the extra `keyring` is not installed")
    from keyring.backend import KeyringBackend

    kept = Keys()

    class Memory(KeyringBackend):  # type: ignore[misc, unused-ignore]
        priority = -1  # type: ignore[assignment, unused-ignore] # or the backend that chains all would keep it

        def get_password(self, service: str, username: str) -> str | None:
            return kept.entries.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            kept.entries[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            del kept.entries[service, username]

    before = keyring.get_keyring()
    keyring.set_keyring(Memory())
    yield kept
    keyring.set_keyring(before)


@pytest.fixture
def no_keys() -> Iterator[None]:
    keyring = pytest.importorskip("keyring", reason="the extra `keyring` is not installed")
    from keyring.backends import fail

    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    yield
    keyring.set_keyring(before)


@pytest.fixture(params=[MACOS, WINDOWS, LINUX])
def around(request: pytest.FixtureRequest, tmp_path: Path) -> Surroundings:
    """A person's home on each platform."""
    home = tmp_path / "person"
    home.mkdir()
    roaming = {"APPDATA": str(home / "AppData" / "Roaming")} if request.param == WINDOWS else {}
    return Surroundings(request.param, home, roaming)


def put(around: Surroundings, host: str, data: str | bytes) -> Path:
    """Writes a host's config where that host keeps it."""
    path = HOSTS[host].config_file(around)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path

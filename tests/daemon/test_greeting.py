"""Who is let in, who is believed, whose version gives way."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.daemon.conftest import Home, eventually
from toolrouter.daemon.connector import parse
from toolrouter.daemon.greeting import Refused, greet, is_older
from toolrouter.daemon.joining import NoDaemon, ask, join
from toolrouter.daemon.place import LONGEST_SOCKET_PATH, FileLock, Place, connect


def test_who_does_not_know_the_secret_learns_nothing(home: Home) -> None:
    home.host().initialize()
    record = eventually(home.place.read_record)
    with connect(record["address"]) as connection:
        connection.sendall(json.dumps({"toolrouter": 1, "secret": "guess", "want": "status"}).encode() + b"\n")
        said = b"".join(iter(lambda: connection.recv(1000), b""))
    assert json.loads(said) == {"refused": "secret"}
    assert str(record["answer"]) not in said.decode()
    with pytest.raises(ConnectionError, match="something else"), connect(record["address"]) as connection:
        greet(connection, {**record, "secret": "guess"}, "serve")


def test_another_protocol_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.host().initialize()
    eventually(home.place.read_record)
    monkeypatch.setattr("toolrouter.daemon.greeting.PROTOCOL", 99)
    with pytest.raises(Refused, match="protocol 1"):
        ask(home.place, "status")
    with pytest.raises(NoDaemon, match="protocol 1"):
        join(home.place)


def impostor(answer: bytes) -> tuple[int, Callable[[], None]]:
    """A port at which another program answers."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer_once() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(answer)

    thread = threading.Thread(target=answer_once)
    thread.start()

    def close() -> None:
        thread.join(10)
        listener.close()

    return listener.getsockname()[1], close


@pytest.mark.parametrize("answer", [b'{"answer": "guess"}\n', b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"[]\n"])
def test_another_program_at_the_port_is_not_believed(answer: bytes) -> None:
    port, close = impostor(answer)
    with connect(port) as connection:
        connection.settimeout(10)
        with pytest.raises(ConnectionError):
            greet(connection, {"secret": "s", "answer": "a"}, "serve")
    close()


def test_the_older_gives_way_and_never_both() -> None:
    ordered = ["0.0.9", "0.1.0rc1", "0.1.0", "0.1.1", "0.2", "0.10.0", "1.0"]
    for place, version in enumerate(ordered):
        assert not is_older(version, version)
        assert all(is_older(version, later) and not is_older(later, version) for later in ordered[place + 1 :])


def test_a_record_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    place = Place(str(tmp_path), str(tmp_path / "c.json"))
    place.prepare()
    place.write_record({"pid": 1})
    assert place.read_record() == {"pid": 1}
    Path(place.record_path).chmod(0o644)
    assert place.read_record() is None


def test_the_socket_goes_elsewhere_when_the_home_is_too_deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    place = Place(str(deep), str(tmp_path / "c.json"))
    place.prepare()
    paths = place.socket_paths()
    assert paths
    assert all(len(path) <= LONGEST_SOCKET_PATH for path in paths)
    assert not any(path.startswith(str(deep)) for path in paths)


def test_however_a_config_is_reached_it_has_one_daemon(tmp_path: Path) -> None:
    config = tmp_path / "c.json"
    config.write_text("{}", encoding="utf-8")
    (tmp_path / "link.json").symlink_to(config)
    keys = {Place(str(tmp_path), str(tmp_path / name)).key for name in ("c.json", "link.json", "x/../c.json")}
    assert len(keys) == 1
    assert Place(str(tmp_path / "other"), str(config)).key not in keys


def test_a_lock_is_one_holders_until_it_is_released(tmp_path: Path) -> None:
    first, second = FileLock(str(tmp_path / "lock")), FileLock(str(tmp_path / "lock"))
    assert first.try_acquire()
    assert not second.try_acquire()
    assert not second.acquire(0.05)
    first.release()
    assert second.try_acquire()
    second.release()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], (None, None)),
        (["-c", "a", "-v"], ("a", None)),
        (["--config=a=b", "--exposure", "all"], ("a=b", "all")),
        (["--http", ":1"], None),
        (["--no-daemon"], None),
        (["--help"], None),
        (["--exposure", "some"], None),
        (["--config"], None),
    ],
)
def test_a_connector_leaves_what_it_does_not_know_to_others(words: list[str], expected: object) -> None:
    options = parse(words)
    assert (None if options is None else (options.config, options.exposure)) == expected


def test_without_a_usable_home_the_host_is_served_all_the_same_or_told_why(home: Home) -> None:
    home.state.write_text("a file", encoding="utf-8")
    host = home.host()
    assert host.leave() == 1
    assert host.process.stderr
    assert b"home" in host.process.stderr.read()


@pytest.mark.skipif(os.name != "posix", reason="processes are looked at in /proc")
def test_the_connector_is_small_and_imports_nothing_heavy(home: Home) -> None:
    host = home.host().initialize()
    assert "search_tools" in host.tools()
    status = Path(f"/proc/{host.process.pid}/status")
    if status.exists():
        resident_kb = int(status.read_text(encoding="utf-8").partition("VmRSS:")[2].split()[0])
        assert resident_kb < 25 * 1024

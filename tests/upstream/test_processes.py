from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from tests.upstream.stubs import STUB, limits, stub, text
from toolrouter.config import UpstreamSpec
from toolrouter.errors import UpstreamError
from toolrouter.upstream.connect import connect
from toolrouter.upstream.processes import environment, find_command
from toolrouter.upstream.stdio import LastWords

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform == "win32", reason="POSIX process groups")]


def gone(pid: int) -> bool:
    try:
        # A zombie that nobody reaps is gone too.
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def wait_gone(*pids: int) -> None:
    with anyio.fail_after(120):
        while not all(gone(pid) for pid in pids):  # noqa: ASYNC110  nobody announces it
            await anyio.sleep(0.02)


def test_a_server_sees_what_it_needs_and_no_secret_of_others() -> None:
    inherited = {
        "PATH": "/bin",
        "Path": "x",
        "LC_ALL": "C",
        "GITHUB_TOKEN": "s",
        "HOME": "() { :; }",
        "https_proxy": "p",
    }
    seen = environment(UpstreamSpec(command="c", env={"MINE": "1", "PATH": "/own"}), inherited)
    assert seen == {"PATH": "/own", "Path": "x", "LC_ALL": "C", "https_proxy": "p", "MINE": "1"}


async def test_words_of_a_command_and_of_a_call_reach_the_server_letter_for_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET_OF_OTHERS", "hush")
    hostile = f"$(touch {tmp_path}/a);`touch {tmp_path}/b`|& ${{HOME}} 'x' \"y\" * ~ \\ \n\u202e"
    told = "import os, sys, json; open(os.environ['OUT'], 'w').write(json.dumps([sys.argv[1:], dict(os.environ)]))"
    out = tmp_path / "out"
    env = {"OUT": str(out), "MINE": hostile}
    spec = UpstreamSpec(command=sys.executable, args=("-I", "-S", "-c", told, hostile, "-x;y"), env=env)
    with pytest.raises(UpstreamError):
        async with connect("s", spec, limits()):
            pass
    words, seen = json.loads(out.read_text())
    assert words == [hostile, "-x;y"]
    assert seen["MINE"] == hostile
    assert "A_SECRET_OF_OTHERS" not in seen
    assert not {"a", "b"} & set(os.listdir(tmp_path))  # noqa: PTH208
    async with connect("s", stub(), limits()) as connection:
        params = {"name": hostile, "arguments": {hostile: hostile}}
        answer = await connection.request("tools/call", params, timeout_s=60)
    assert json.loads(text(answer)) == params


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("npx", "npx comes with Node.js"),
        ("uvx", "uvx comes with uv"),
        ("my-servr", "did you mean my-server?"),
        ("zzz-nothing", "give its full path in `command`"),
        ("./absent", "./absent does not exist"),
        ("./plain", "./plain exists but cannot be executed"),
    ],
)
def test_a_missing_command_is_explained(command: str, words: str, tmp_path: Path) -> None:
    program = tmp_path / "my-server"
    program.touch(mode=0o755)
    (tmp_path / "plain").touch(mode=0o644)
    spec = UpstreamSpec(command=command, cwd=str(tmp_path))
    with pytest.raises(UpstreamError, match=words):
        find_command("s", spec, {"PATH": str(tmp_path)})
    assert find_command("s", UpstreamSpec(command="my-server"), {"PATH": str(tmp_path)}) == str(program)


def test_a_missing_folder_is_named() -> None:
    with pytest.raises(UpstreamError, match="`cwd` does not exist: /no/such/folder"):
        find_command("s", UpstreamSpec(command="sh", cwd="/no/such/folder"), {"PATH": "/bin"})


def test_last_words_are_bounded_and_keep_no_secret() -> None:
    words = LastWords("s", ["hunter2-token", "/a/path/to/keep", "short"])
    for number in range(1000):
        words.add(f"line {number} ".encode() * 100 + b"\n")
    words.add(b"login with hunter2-")
    words.add(b"token failed\nsee /a/path/to/keep \xff")
    tail = words.tail().splitlines()
    assert tail[-2:] == ["login with *** failed", "see /a/path/to/keep \ufffd"]
    assert len(tail) == 6
    assert max(map(len, tail)) <= 400


async def test_leaving_ends_children_and_grandchildren_that_ignore_everything(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with anyio.fail_after(120):
        async with connect("s", stub("stubborn", f"grandchild={pids}"), limits(stop_timeout_s=1)):
            child, grandchild = map(int, pids.read_text().split())
            assert not gone(grandchild)
        assert gone(child)
        await wait_gone(grandchild)


async def test_many_stubborn_servers_are_stopped_in_parallel() -> None:
    async def hold(started: anyio.Event, leave: anyio.Event) -> None:
        async with connect("s", stub("stubborn"), limits(stop_timeout_s=1.5)):
            started.set()
            await leave.wait()

    with anyio.fail_after(120):
        leave = anyio.Event()
        async with anyio.create_task_group() as tasks:
            events = [anyio.Event() for _ in range(6)]
            for event in events:
                tasks.start_soon(hold, event, leave)
            for event in events:
                await event.wait()
            leave.set()
            stopping = anyio.current_time()
        assert anyio.current_time() - stopping < 6 * 1.5


VICTIM = """
import sys, anyio
from toolrouter.config import Limits, UpstreamSpec
from toolrouter.upstream.connect import connect
async def main():
    spec = UpstreamSpec(command=sys.executable, args=("-I", "-S", *sys.argv[1:]))
    async with connect("s", spec, Limits()):
        print("up", flush=True)
        await anyio.sleep_forever()
anyio.run(main)
"""


async def test_a_killed_toolrouter_leaves_nothing_running(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    command = [sys.executable, "-c", VICTIM, str(STUB), "stubborn", f"grandchild={pids}"]
    root = str(Path(__file__).parent.parent.parent)
    with anyio.fail_after(120):
        async with await anyio.open_process(command, cwd=root, stderr=subprocess.DEVNULL) as victim:
            assert victim.stdout is not None
            assert (await victim.stdout.receive()).startswith(b"up")
            child, grandchild = map(int, pids.read_text().split())
            victim.send_signal(signal.SIGKILL)
            await victim.wait()
        await wait_gone(child, grandchild)

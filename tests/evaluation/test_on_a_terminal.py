"""What a person sees who measures in a terminal, on a real one."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

termios = pytest.importorskip("termios", reason="pseudo-terminals are a thing of Unix")


def shown(width: int, *words: object) -> str:
    import fcntl
    import pty

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    program = subprocess.Popen(
        [sys.executable, "-m", "toolrouter", *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env=environment | {"TERM": "xterm-256color"},
    )
    os.close(theirs)
    parts = []
    try:
        while part := os.read(ours, 65_536):
            parts.append(part)
    except OSError:  # the other side is closed
        pass
    finally:
        os.close(ours)
    assert program.wait(30) == 0
    return b"".join(parts).decode()


def test_numbers_and_words_stay_whole(
    tools_file: Path, queries_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLROUTER_HOME", str(tmp_path / "home"))
    text = shown(80, "eval", "--tools", tools_file, "--queries", queries_file, "--retriever", "lexical")
    lines = [line.rstrip() for line in text.splitlines()]
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in text
    assert "[1m" not in text, "styles that what prints takes for control characters"
    heads = [line.split() for line in lines if line.startswith("kind")]
    assert [head[0] for head in heads] == ["kind"] * len(heads)
    named = [name for head in heads for name in head[1:]]
    assert named[:3] == ["n", "R@1", "R@5"]
    assert named[-3:] == ["returned", "tools", "tokens"]
    every = [line.split()[1:] for line in lines if line.startswith("all ")]
    assert sum(len([cell for cell in row if not cell.startswith("±")]) for row in every) == len(named)

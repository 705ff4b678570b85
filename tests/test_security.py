"""What SECURITY.md promises stands beside a test, and what no code of ours may do, none does."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from toolrouter.app import open_router
from toolrouter.config import Settings

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
CHECKLIST = [
    *(f"D{number}" for number in range(1, 15)),
    *(f"C{number}" for number in range(1, 13)),
    *(f"L{number}" for number in range(1, 10)),
    *(f"H{number}" for number in range(1, 13)),
    *(f"S{number}" for number in range(1, 6)),
]
ROWS = {cells[1].strip(): cells for line in TEXT.splitlines() if len(cells := line.split("|")) >= 6}
MODULES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "toolrouter").rglob("*.py")}


@pytest.mark.parametrize("row", CHECKLIST)
def test_every_row_of_the_checklist_has_a_test_or_is_named_as_not_covered(row: str) -> None:
    cells = ROWS[row]
    assert "](tests/" in cells[4] or "not covered" in cells[3]


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"\[([^\]]+)\]\((tests/[^)]+)\)", TEXT)
    assert len(named) >= 50
    for words, place in named:
        path = ROOT / place
        assert path.exists(), place
        if words.startswith("test_"):
            assert f"def {words}(" in path.read_text(encoding="utf-8"), f"{place} has no {words}"


def test_all_of_owasps_ten_and_the_specifications_practices_are_named() -> None:
    sources = " ".join(cells[5] for cells in ROWS.values())
    assert {f"MCP{number:02}" for number in range(1, 11)} <= set(re.findall(r"MCP\d\d", sources))
    assert "SBP" in sources


def test_no_shell_is_ever_started() -> None:
    for path, tree in MODULES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in {"os.system", "os.popen", "subprocess.getoutput", "eval", "exec"}, path
                assert "create_subprocess_shell" not in called, path
                assert not any(word.arg == "shell" for word in node.keywords), path
                if called in {"anyio.open_process", "anyio.run_process"}:  # given a text, they ask a shell
                    texts = ast.JoinedStr, ast.Constant, ast.BinOp, ast.Call
                    assert not isinstance(node.args[0], texts), path


def test_certificates_are_always_verified() -> None:
    for path, tree in MODULES.items():
        words = [word for node in ast.walk(tree) if isinstance(node, ast.Call) for word in node.keywords]
        assert not any(word.arg == "verify" and ast.unparse(word.value) == "False" for word in words), path
        assert not {"CERT_NONE", "_create_unverified_context"} & {
            node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)
        }, path


def test_nothing_that_answers_a_host_can_decide() -> None:
    """Approvals are made by commands that a person types, and taken back by checks."""
    deciding = {"decide", "accept_loss"}
    for path, tree in MODULES.items():
        if path.relative_to(ROOT / "toolrouter").parts[0] in {"server", "daemon", "wire", "upstream", "retrieval"}:
            names = {node.attr if isinstance(node, ast.Attribute) else node.id for node in ast.walk(tree)
                     if isinstance(node, ast.Attribute | ast.Name)}  # fmt: skip
            imported = {
                alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
            }
            assert not deciding & (names | imported), path


_WATCHED: list[str] = []
_WATCHING = [False]


def _note_connections(event: str, arguments: tuple[object, ...]) -> None:
    if _WATCHING[0] and event in {"socket.getaddrinfo", "socket.connect", "socket.sendto"}:
        address = arguments[1] if event != "socket.getaddrinfo" else arguments[0]
        if not isinstance(address, str) or event == "socket.getaddrinfo":  # a path is a socket of this machine
            _WATCHED.append(f"{event} {address}")


@pytest.mark.anyio
async def test_without_remote_servers_nothing_is_asked_of_any_network(tmp_path: Path) -> None:
    sys.addaudithook(_note_connections)
    command = [sys.executable, "-I", "-S", str(ROOT / "tests/upstreams_stub/stub.py")]
    spec = {"command": command[0], "args": command[1:]}
    _WATCHING[0] = True
    try:
        async with open_router(Settings.model_validate({"mcpServers": {"a": spec}}), home=tmp_path / "home") as running:
            await running.index()
            assert (await running.search(["repeat what I say"])).near_servers == ("a",)
            assert "content" in await running.call("a__echo", {})
    finally:
        _WATCHING[0] = False
    assert _WATCHED == []

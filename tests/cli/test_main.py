"""The group over all commands: names, help, statuses, and what it must not load."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from toolrouter import __version__
from toolrouter.cli.errors import message_of, status_of
from toolrouter.cli.main import COMMANDS, module_of, run
from toolrouter.errors import ConfigError, NotFound, UpstreamError

HELP = """\
Usage: toolrouter [OPTIONS] COMMAND [ARGS]...

  One MCP server in place of dozens.

  toolrouter asks your MCP servers for their tools, indexes them, and shows
  the model only those that serve the task.

Options:
  --version   Show the version.
  -h, --help  Show this message and exit.

Commands:
  init       Write a commented config to start from.
  import     Take over the servers of a host's config file.
  add        Add a server to the config: a command or a URL.
  remove     Remove servers from the config.
  list       Show the servers: state, tools, tokens, last error.
  tools      Show the tools and whether they may be used.
  index      Ask the servers for their tools and make them searchable.
  search     Find the tools that serve a task.
  describe   Show the full definitions of tools.
  call       Call a tool.
  review     Look at what waits for your decision, and decide.
  approve    Approve what a server offers after it changed.
  reject     Refuse what a server offers, for good.
  scan       Look for definitions that try to steer the model.
  audit      Show who called what, and what became of it.
  serve      Be one MCP server in place of all of them.
  login      Log in to a remote server, in the browser.
  logout     Forget the login to a remote server.
  install    Put toolrouter into Claude, Cursor, VS Code and other hosts.
  uninstall  Bring a host's config back as it was.
  status     Show the daemon: its hosts, and what runs.
  stop       Stop the daemon.
  restart    Start a server anew in the daemon.
  logs       Show what was logged.
  doctor     Check config, servers, index and model; say how to mend them.
  demo       Show it at work on real servers, in a minute.
  eval       Measure search on queries whose tools are known.
  tune       Fit what search returns to your own queries.
  bench      Count what the model is shown, with toolrouter and without.
  schema     Print the JSON Schema of the config file.
"""


def python(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parent.parent.parent
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, cwd=cwd or root, timeout=180, check=False
    )


def test_help_is_what_it_was(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["--help"]) == 0
    assert capsys.readouterr().out == HELP


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_file_a_function_and_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert import_module(module_of(name)).command.__doc__
    assert run([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"toolrouter {name}" in shown
    assert "--config" in shown or name in {"bench", "demo", "eval", "logs", "schema", "tune", "uninstall"}


def test_help_loads_no_command_and_nothing_heavy() -> None:
    code = (
        "import sys\nsys.argv = ['toolrouter', '--help']\nfrom toolrouter.__main__ import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "loaded = {'numpy', 'pydantic', 'anyio', 'mcp', 'rich.table', 'toolrouter.app'} & set(sys.modules)\n"
        "print('LOADED', sorted(loaded))"
    )
    assert "LOADED []" in python("-c", code).stdout


def test_serving_loads_neither_the_framework_nor_the_sdk() -> None:
    code = (
        "import sys, toolrouter.cli.serve, toolrouter.server.stdio\n"
        "print(sorted({'typer', 'rich', 'mcp', 'click', 'httpx', 'onnxruntime', 'faiss'} & set(sys.modules)))"
    )
    assert python("-c", code).stdout.strip() == "[]"


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith(f"toolrouter {__version__} ")
    text = (Path(__file__).parent.parent.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{__version__}"' in text


@pytest.mark.parametrize("words", [["nonsense"], ["list", "--nonsense"], ["call"], ["search", "x", "-k", "0"]])
def test_wrong_usage_is_status_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Usage" in captured.err


def test_python_minus_m_works_and_says_expected_failures_without_a_traceback(tmp_path: Path) -> None:
    found = python("-m", "toolrouter", "list", "--config", str(tmp_path / "none.json"))
    assert found.returncode == 1
    assert found.stdout == ""
    assert found.stderr.startswith("toolrouter: ")
    assert "Traceback" not in found.stderr


def test_errors_become_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(ConfigError("wrong")) == 1
    assert status_of(ExceptionGroup("tasks", [ExceptionGroup("inner", [UpstreamError("a", "gone")])])) == 1
    assert status_of(KeyboardInterrupt()) == 130
    assert status_of(SystemExit(7)) == 7
    assert "Traceback" not in capsys.readouterr().err
    assert status_of(ValueError("a bug")) == 3
    assert "this is a bug of toolrouter" in capsys.readouterr().err


def test_messages_name_the_server_and_what_comes_near() -> None:
    assert message_of(UpstreamError("github", "did not answer")) == "github: did not answer"
    assert message_of(UpstreamError("github", "github did not answer")) == "github did not answer"
    assert message_of(NotFound("No tool.", ["a", "b"])) == "No tool. Did you mean `a` or `b`?"


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs a shell with pipes")
def test_a_reader_that_leaves_early_is_no_error() -> None:
    command = f"{sys.executable} -m toolrouter schema | head -1"
    root = Path(__file__).parent.parent.parent
    found = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=root, timeout=180, check=False)
    assert found.stdout == "{\n"
    assert found.stderr == ""

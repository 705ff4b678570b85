from __future__ import annotations

import json

import pytest

from toolrouter.cli.demo import render
from toolrouter.cli.demo_host import Call, Question, Report, Tokens
from toolrouter.cli.demo_servers import Stage
from toolrouter.cli.main import run


def report() -> Report:
    call = Call("time__convert_time", {"a": 1}, "it is\n18:00", is_error=False, elapsed_ms=12.0)
    found = Question(
        "what time", "time__convert_time", ["time__convert_time"], "time__convert_time() - x", 7, 3.0, call
    )
    missed = Question("find it", "git__git_log", [], "No tool fits", 5, 2.0)
    return Report(2, 10, 1.5, 400.0, Tokens(5000, 500, 12), [found, missed], 20.0)


def test_the_report_compares_what_the_model_is_shown(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("demo")
    text = render(Stage(folder / "c.json", folder, "http://h", ("time",), ("git",)), report())
    assert "every tool of every server     5,000" in text
    assert "toolrouter                       500   (90.0 % less)" in text
    assert "→ time__convert_time: it is 18:00   (12 ms)" in text
    assert "✗ git__git_log was not found" in text
    assert "512 instead of 5,000" in text


def test_a_missed_tool_or_a_failed_call_is_no_success() -> None:
    whole = report()
    assert not whole.is_complete
    whole.questions.pop()
    assert whole.is_complete
    assert whole.questions[0].call
    whole.questions[0].call.is_error = True
    assert not whole.is_complete


def test_without_its_servers_the_demo_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolrouter.cli.demo_servers._REAL", {"git": "no_such_module_here"})
    assert run(["demo"]) == 1
    assert "pip install mcp-server-fetch mcp-server-git mcp-server-time" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.usefixtures("one_model")
def test_the_demo_runs_real_servers_and_calls_what_it_finds(capfd: pytest.CaptureFixture[str]) -> None:
    status = run(["demo", "--json"])
    found = json.loads(capfd.readouterr().out)
    assert found["servers"] >= 23
    assert found["tools"] > 500
    assert found["tokens"]["router"] <= 700 < found["tokens"]["without"]
    calls = {question["call"]["name"]: question["call"] for question in found["questions"] if question["call"]}
    assert "18:00" in calls["time__convert_time"]["text"]
    assert not any(call["is_error"] for call in calls.values())
    assert status == 0, [question for question in found["questions"] if question["expected"] not in question["hits"]]

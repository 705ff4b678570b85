from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from toolrouter.cli.call import shown_parts


def test_a_call_prints_what_the_tool_says(shell: Shell) -> None:
    found = shell("call", "demo__echo", "--args", '{"text": "hé"}')
    assert (found.status, found.out) == (0, '{"text": "hé"}\n')


def test_with_json_the_result_comes_exactly_as_it_was_sent(shell: Shell) -> None:
    assert shell("call", "demo__echo", "--args", '{"text": "a"}', "--json").json == {
        "content": [{"type": "text", "text": '{"text": "a"}'}],
        "unknown": {"kept": True},
    }
    assert shell("call", "demo__picture", "--json").json["_meta"] == {"odd": [1, None]}


def test_a_picture_is_described_not_dumped(shell: Shell) -> None:
    assert shell("call", "demo__picture").out.startswith("[image image/png, ")


def test_a_tool_that_fails_is_status_1_and_its_words_are_data(shell: Shell) -> None:
    found = shell("call", "demo__fail")
    assert (found.status, found.out) == (1, "it went wrong\n")


def test_wrong_arguments_are_explained_before_the_server_is_asked(shell: Shell) -> None:
    found = shell("call", "demo__echo", "--args", '{"txt": "a"}')
    assert found.status == 1
    assert "text" in found.out


def test_an_unknown_tool_is_named_with_its_like(shell: Shell) -> None:
    found = shell("call", "demo__ecko")
    assert found.status == 1
    assert "demo__echo" in found.err


def test_arguments_come_from_a_file_or_from_stdin(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    file = shell.folder / "arguments.json"
    file.write_text('\ufeff{"text": "from a file"}', encoding="utf-8")
    assert "from a file" in shell("call", "demo__echo", "--args", f"@{file}").out
    monkeypatch.setattr("sys.stdin", io.StringIO('{"text": "from stdin"}'))
    assert "from stdin" in shell("call", "demo__echo", "--args", "-").out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("{", "--args is not JSON"),
        ("[1]", "must be a JSON object"),
        ("@no-such-file.json", "the file cannot be read"),
    ],
)
def test_arguments_that_are_no_object_are_a_usage_error(shell: Shell, args: str, said: str) -> None:
    found = shell("call", "demo__echo", "--args", args)
    assert found.status == 2
    assert said in found.err


def test_only_reading_tools_can_be_asked_for(shell: Shell) -> None:
    assert shell("call", "demo__echo", "--read-only", "--args", '{"text": "a"}').status == 0
    refused = shell("call", "demo__picture", "--read-only")
    assert (refused.status, refused.out) == (1, "")
    assert "with `--read-only` it was not called. Leave that out" in refused.err
    assert "_tool" not in refused.err


def test_a_server_that_is_gone_is_named(shell: Shell) -> None:
    shell("index")
    shell.configure({"demo": {**shell.server(), "command": str(Path(shell.folder) / "moved-away")}})
    found = shell("call", "demo__echo", "--args", '{"text": "a"}')
    assert found.status == 1
    assert "demo" in found.out + found.err


def test_every_kind_of_content_is_shown() -> None:
    content = [
        {"type": "resource_link", "name": "a", "uri": "file:///a"},
        {"type": "resource", "resource": {"uri": "file:///b", "text": "inside"}},
        {"type": "resource", "resource": {"uri": "file:///c", "blob": "AA=="}},
        {"type": "audio", "mimeType": "audio/wav", "data": "AAAA"},
        {"type": "new-kind", "x": 1},
    ]
    assert shown_parts({"content": content}) == [
        "[a: file:///a]",
        "inside",
        "[resource file:///c]",
        "[audio audio/wav, 3 bytes; --json shows it]",
        '{"type": "new-kind", "x": 1}',
    ]
    assert shown_parts({"content": [], "structuredContent": {"a": 1}}) == ['{\n  "a": 1\n}']

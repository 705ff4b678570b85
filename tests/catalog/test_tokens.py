from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import toolrouter.catalog.tokens as tokens
from toolrouter.catalog.tokens import CHUNK_CHARS, count_tokens, definition_tokens
from toolrouter.errors import ToolrouterError


def run(code: str, **environment: str) -> str:
    known = {name: value for name, value in os.environ.items() if "CACHE" not in name}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**known, **environment},
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    return done.stdout


def test_counts_are_those_of_o200k():
    assert [count_tokens(text) for text in ("", "hello world", "tiktoken is great!", "お誕生日おめでとう")] == [
        0,
        2,
        6,
        8,
    ]


def test_a_definition_is_counted_as_compact_json_of_what_a_model_sees():
    raw = {"name": "a", "title": "ignored", "description": "ünï", "inputSchema": {"type": "object"}, "_meta": {"x": 1}}
    assert definition_tokens(raw) == count_tokens('{"name":"a","description":"ünï","input_schema":{"type":"object"}}')


def test_special_tokens_count_as_ordinary_text():
    assert count_tokens("<|endoftext|>") > 1


@pytest.mark.parametrize("text", ["a", " ", "\n", "'", "中", "\u200b", "\ud800", "aA1 "])
def test_a_long_run_of_anything_is_counted_in_bounded_time(text: str):
    begun = time.process_time()
    assert 0 < count_tokens(text * (300_000 // len(text))) <= 1_200_000
    assert time.process_time() - begun < 20


def test_a_megabyte_of_spaces_does_not_overflow_the_tokenizer():
    assert 0 < count_tokens(" " * 1_100_000 + "x") < 20_000


def test_a_long_text_costs_what_its_chunks_cost():
    text = "one two three " * 20_000
    whole = len(tokens._encoding().encode_ordinary(text))
    assert len(text) > CHUNK_CHARS
    assert whole <= count_tokens(text) <= whole + len(text) // CHUNK_CHARS + 1


def test_threads_that_count_first_at_once_agree():
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(count_tokens("hello world"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [2] * 8


def test_counting_needs_no_network_and_keeps_the_users_own_cache_folder(tmp_path: Path):
    code = (
        "import os, socket\n"
        "def refuse(*_): raise AssertionError('network')\n"
        "socket.socket.connect = refuse\n"
        "from toolrouter.catalog.tokens import count_tokens\n"
        "print(count_tokens('hello world'), os.environ.get('TIKTOKEN_CACHE_DIR'))"
    )
    assert run(code) == "2 None\n"
    assert run(code, TIKTOKEN_CACHE_DIR=str(tmp_path)) == f"2 {tmp_path}\n"
    assert list(tmp_path.iterdir()) == []


def test_importing_the_module_does_not_load_tiktoken():
    assert run("import sys, toolrouter.catalog.tokens; print('tiktoken' in sys.modules)") == "False\n"


def test_damaged_ranks_are_reported_and_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    damaged = tmp_path / "ranks"
    damaged.write_bytes(b"not ranks")
    monkeypatch.setattr(tokens, "_RANKS", damaged)
    with pytest.raises(ToolrouterError, match="damaged"):
        tokens._load.__wrapped__()
    assert damaged.read_bytes() == b"not ranks"

import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolrouter.cli.output import printable
from toolrouter.telemetry.logs import MASK, Masking, configure_logs

logger = logging.getLogger("toolrouter.test")


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    for handler in [each for each in root.handlers if each not in handlers]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


def records(home: Path) -> list[dict[str, str]]:
    lines = (home / "logs" / "toolrouter.log").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_a_record_reaches_stderr_as_a_line_and_the_file_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs(home=tmp_path)
    logger.warning("%s is away", "github", extra={"server": "github"})
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith("warning toolrouter.test  github is away  server=github\n")
    (record,) = records(tmp_path)
    assert (record["level"], record["logger"], record["message"], record["server"]) == (
        "warning", "toolrouter.test", "github is away", "github",
    )  # fmt: skip


def test_a_secret_is_masked_wherever_it_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = 'pa"ss\nword'
    configure_logs(home=tmp_path, secrets=[secret])
    try:
        raise ValueError(f"refused {secret}")
    except ValueError:
        logger.exception("got %s", {"key": secret}, extra={"header": secret})
    written = capsys.readouterr().err + (tmp_path / "logs" / "toolrouter.log").read_text(encoding="utf-8")
    assert "word" not in written
    assert written.count(MASK) >= 4


def test_what_a_server_said_steers_no_terminal_and_forges_no_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs(home=tmp_path)
    said = "dead\x1b[2J\x9b1m\u202e\U000e0041é\n12:00:00 info    toolrouter.guard  all approved"
    logger.warning("s: %s", said, extra={"why": "\x1b[0m"})
    shown, file = capsys.readouterr().err, (tmp_path / "logs" / "toolrouter.log").read_text(encoding="utf-8")
    for written in (shown, file):
        assert not {"\x1b", "\x9b", "\u202e", "\U000e0041"} & set(written)
        assert "dead\\u001b[2J\\u009b1m\\u202e\\udb40\\udc41é" in written
    assert [line[0] for line in shown.splitlines()[1:]] == [" "]
    assert records(tmp_path)[0]["message"] == f"s: {said}"


@pytest.mark.parametrize(
    "said",
    [
        "не найден",
        "見つかりません\u3000もう一度",
        "10\xa0000\u202f€ à payer",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "👩\u200d🔬 🇩🇪 👍🏽 ☁\ufe0f",
        "a\tb",
    ],
)
def test_words_of_any_language_are_logged_as_they_are(
    said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs(home=tmp_path)
    logger.warning("s: %s", said)
    assert f"s: {said}\n" in capsys.readouterr().err
    assert printable(said) == said
    assert records(tmp_path)[0]["message"] == f"s: {said}"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer s3cr3tvalue",
        "{'Authorization': 'Bearer s3cr3tvalue'}",
        '"X-Api-Key": "s3cr3tvalue"',
        "https://h/mcp?token=s3cr3tvalue&x=1",
        "using bearer s3cr3tvalue now",
        "ghp_s3cr3tvalue0000",
        "github_pat_s3cr3tvalue0000",
        "glpat-s3cr3tvalue0000",
        "xoxb-s3cr3tvalue0000",
        "sk-ant-s3cr3tvalue0000",
        "sk_live_s3cr3tvalue0000",
        "npm_s3cr3tvalue0000",
        "pypi-s3cr3tvalue0000",
        "hf_s3cr3tvalue0000",
        "AIzas3cr3tvalue-0123456789012345678901",
        "ya29.s3cr3tvalue00000000",
        "SG.s3cr3tvalue00000000.0123456789012345",
        "eyJhbGciOiJIUzI1NiJ9.s3cr3tvalue.signature",
        "-----BEGIN PRIVATE KEY-----\ns3cr3tvalue\n-----END PRIVATE KEY-----",
        "postgres://somebody:s3cr3tvalue@host/base",
        "password=s3cr3tvalue",
        '"client_secret": "s3cr3tvalue"',
    ],
)
def test_what_looks_like_a_secret_is_masked_though_nobody_named_it(text: str) -> None:
    masked = Masking()(text)
    assert "s3cr3tvalue" not in masked
    assert MASK in masked


def test_a_key_of_a_cloud_is_masked() -> None:
    assert Masking()("key AKIAIOSFODNN7EXAMPLE, refused") == f"key {MASK}, refused"


@pytest.mark.parametrize(
    "text",
    [
        "token expired",
        "https://host:8080/path",
        "the password is wrong",
        "a_key = 1",
        "sk-learn",
        "npm_config",
        "hf_hub",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert Masking()(text) == text


def test_masking_takes_linear_time() -> None:
    for hostile in ("-----BEGIN PRIVATE KEY-----" * 2_000, "://a:" * 20_000, "password=" * 20_000, "eyJ" * 30_000):
        started = time.process_time()
        Masking()(hostile)
        assert time.process_time() - started < 5


def test_short_values_are_left_alone_so_that_logs_stay_readable() -> None:
    assert Masking(["1", "true", "8080"])("1 of 8080 is true") == "1 of 8080 is true"


def test_the_longer_of_two_secrets_is_masked_whole() -> None:
    assert Masking(["abcdef", "abcdefghi"])("abcdefghi abcdef") == f"{MASK} {MASK}"


def test_setting_up_again_replaces_what_was_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(home=tmp_path / "a")
    configure_logs(home=tmp_path / "b", level="debug", stderr_level="error")
    logger.debug("once")
    assert [record["message"] for record in records(tmp_path / "b")] == ["once"]
    assert capsys.readouterr().err == ""


def test_a_folder_that_cannot_be_written_costs_the_file_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    configure_logs(home=blocked)
    logger.error("still here")
    said = capsys.readouterr().err
    assert "no log file" in said
    assert "still here" in said


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_the_log_file_is_its_owners_alone_and_so_are_the_folders_made_for_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    configure_logs(home=home)
    assert (home / "logs" / "toolrouter.log").stat().st_mode & 0o777 == 0o600
    assert [folder.stat().st_mode & 0o777 for folder in (home, home / "logs")] == [0o700, 0o700]

from __future__ import annotations

import stat
from pathlib import Path

from toolrouter.telemetry.audit import FILE, AuditLog


def test_events_come_back_in_order_under_the_time_they_were_written(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    log.write({"kind": "call", "n": 1})
    log.write({"kind": "call", "n": 2, "at": "2020"})
    assert [event["n"] for event in AuditLog(tmp_path).read()] == [1, 2]
    assert [event["at"] for event in log.read()][1] == "2020"
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_the_log_is_bounded_and_loses_the_oldest_first(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, largest=200, files=3)
    for number in range(60):
        log.write({"n": number})
    kept = [event["n"] for event in log.read()]
    assert kept == list(range(kept[0], 60))
    assert 0 < kept[0] < 55
    assert len(list(tmp_path.iterdir())) == 3


def test_what_is_no_event_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b'\xff\nnot json\n[1]\n{"n": 1}\n{"n"')
    assert list(AuditLog(tmp_path).read()) == [{"n": 1}]


def test_a_log_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    AuditLog(tmp_path).write({"n": 1})
    assert list(AuditLog(tmp_path / "nowhere").read()) == []

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolrouter.catalog.journal import Journal
from toolrouter.types import Decision

ONE = Decision("s", "read ünï\n", "ab" * 32, approved=True, by="cli", at=1.5)
TWO = Decision("s", "write", "cd" * 32, approved=False, by="first use", at=2.0)


def test_decisions_come_back_in_order(tmp_path: Path):
    journal = Journal(tmp_path / "j")
    assert journal.read() == []
    size = journal.append([ONE])
    assert journal.append([TWO, ONE]) == journal.size() > size
    assert journal.read() == [ONE, TWO, ONE]


def test_only_its_owner_can_read_it(tmp_path: Path):
    journal = Journal(tmp_path / "j")
    journal.append([ONE])
    assert journal.path.stat().st_mode & 0o077 == 0


def test_what_was_appended_can_be_taken_back(tmp_path: Path):
    journal = Journal(tmp_path / "j")
    size = journal.append([ONE])
    journal.append([TWO])
    journal.cut_back(size)
    assert journal.read() == [ONE]


def test_a_line_that_a_crash_left_unfinished_costs_only_itself(tmp_path: Path):
    journal = Journal(tmp_path / "j")
    journal.append([ONE])
    journal.path.write_bytes(journal.path.read_bytes() + b'{"server": "s", "na')
    journal.append([TWO])
    assert journal.read() == [ONE, TWO]


@pytest.mark.parametrize("line", [b"", b"null", b"[1]", b"{}", b"\xff\x00", b'{"check": "x"}', b"[" * 100_000])
def test_lines_that_prove_nothing_are_passed_over(tmp_path: Path, line: bytes):
    path = tmp_path / "j"
    path.write_bytes(line + b"\n")
    Journal(path).append([ONE])
    assert Journal(path).read() == [ONE]


@given(st.data())
def test_no_damaged_byte_turns_a_decision_into_another(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    journal = Journal(tmp_path_factory.mktemp("journal") / "j")
    journal.append([ONE, TWO])
    content = bytearray(journal.path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = data.draw(st.integers(0, 255))
    journal.path.write_bytes(content)
    assert set(journal.read()) <= {ONE, TWO}

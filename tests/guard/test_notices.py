from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.catalog.making import definition, listing
from toolrouter.catalog.live import LiveCatalog
from toolrouter.catalog.memory_store import MemoryStore
from toolrouter.config import TrustMode
from toolrouter.guard.admission import admitter
from toolrouter.guard.notices import Notices
from toolrouter.telemetry.desktop import command_for, show

HOSTILE = "Reads. $(touch /tmp/x) <b>CLICK</b>"


def test_a_person_is_told_once_of_each_thing_in_our_own_words() -> None:
    found = LiveCatalog(MemoryStore(), admitter(TrustMode.FIRST_USE), lambda tool: True, ["s", "t"])
    found.absorb(listing("s", "read", "write"))
    notices = Notices(found, dict)
    assert notices.news() == ""
    found.absorb(listing("s", definition("read", HOSTILE), definition("write", "Else"), "getX", "getx"))
    told = "s: 2 changed and withdrawn and 2 new and waiting for review. Look at it: toolrouter review s"
    assert notices.news() == told
    assert notices.news() == ""
    found.absorb(listing("s", definition("read", "Changed again"), definition("write", "Else"), "getX", "getx"))
    assert notices.news() == "s: 1 changed and withdrawn. Look at it: toolrouter review s"


def test_what_waited_before_the_start_is_no_news() -> None:
    store = MemoryStore()
    LiveCatalog(store, admitter(TrustMode.REVIEW_NEW), lambda tool: True, ["s"]).absorb(listing("s", "read"))
    found = LiveCatalog(store, admitter(TrustMode.REVIEW_NEW), lambda tool: True, ["s"])
    assert Notices(found, dict).news() == ""


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_the_text_is_never_part_of_a_script(platform: str) -> None:
    text = '"; touch /tmp/x; --help $(x) `y`'
    command, said = command_for(text, platform, lambda name: f"/bin/{name}")
    assert [text] == [*(part for part in command if text in part), *(value for value in said.values() if text in value)]
    assert command_for(text, platform, lambda name: None) == ([], {})


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.skipif(sys.platform != "linux", reason="needs a shell script as notify-send")
async def test_a_notice_is_shown_by_the_tool_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "notify-send"
    tool.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/shown\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    await show("s: 1 changed")
    assert (tmp_path / "shown").read_text().splitlines()[-2:] == ["toolrouter", "s: 1 changed"]

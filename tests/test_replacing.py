from __future__ import annotations

import os
from pathlib import Path

import pytest

from toolrouter import replacing
from toolrouter.replacing import replace_by


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    draft, path = tmp_path / "draft", tmp_path / "file"
    draft.write_text("new")
    path.write_text("old")
    return draft, path


def test_a_reader_who_holds_the_file_for_a_moment_is_waited_for(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    held, replace = [True, True], os.replace

    def as_on_windows(draft: Path, path: Path) -> None:
        if held:
            held.pop()
            raise PermissionError(13, "held", str(path))
        replace(draft, path)

    monkeypatch.setattr(os, "replace", as_on_windows)
    replace_by(*files)
    assert files[1].read_text() == "new"


def test_one_who_never_lets_go_is_an_error(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "held")

    monkeypatch.setattr(os, "replace", refuse)
    monkeypatch.setattr(replacing, "PATIENCE_S", 0.0)
    with pytest.raises(PermissionError):
        replace_by(*files)
    assert files[1].read_text() == "old"

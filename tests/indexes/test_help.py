"""Every step of the workshop says what it does before it does anything."""

import sys
from importlib import import_module

import pytest

STEPS = ("graft", "train", "export", "fit_maps", "embed_lines", "evaluate_model", "fit_fusion")
WORKSHOP = ("torch", "sentence_transformers", "transformers", "onnx")


@pytest.mark.parametrize("step", STEPS)
def test_help_is_printed_where_the_workshop_is_not_installed_and_nothing_is_written(
    step: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in WORKSHOP or name == f"indexes.{step}"]:
        monkeypatch.delitem(sys.modules, name)
    for name in WORKSHOP:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr("sys.argv", [step, "--help"])
    with pytest.raises(SystemExit) as ended:
        import_module(f"indexes.{step}").main()
    assert ended.value.code == 0
    assert "usage:" in capsys.readouterr().out

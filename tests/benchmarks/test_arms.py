import sys
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import arms
from benchmarks.arms import ARMS, NotInstalled, Opened, Place, bm25, minilm, rrf
from benchmarks.arms.worker import open_worker
from toolrouter.evaluation.arms import retriever_arm
from toolrouter.evaluation.sets import EvalSet
from toolrouter.types import Hit, Tool, ToolId


def tool(name: str, description: str) -> Tool:
    return Tool(ToolId(f"s/{name}"), "s", name, {"name": name, "description": description}, "", 0)


FOUND = EvalSet("t", (tool("read_file", "Read a file"), tool("send_mail", "Send an e-mail"), tool("add", "Sum")), ())


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_says_what_it_is_and_can_be_opened(name: str) -> None:
    module = import_module(f"benchmarks.arms.{name}")
    assert module.ABOUT
    assert callable(module.open_arm)


@pytest.mark.parametrize("name", [*arms.RIVALS, "minilm"])
def test_an_arm_that_is_not_installed_says_how_to_install_it(name: str, tmp_path: Path) -> None:
    with (
        pytest.raises(NotInstalled, match="pip install"),
        arms.open_arm(name, FOUND, Place(tmp_path / "venvs", tmp_path)),
    ):
        pass


def test_bm25_ranks_by_words(tmp_path: Path) -> None:
    pytest.importorskip("bm25s")
    pytest.importorskip("Stemmer")
    with bm25.open_arm(FOUND, Place(tmp_path, tmp_path)) as opened:
        assert next(hit.id for hit in opened.arm(["send an e-mail"], 2).hits) == "s/send_mail"
        assert opened.versions["bm25s"]


def test_rank_fusion_adds_reciprocal_ranks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import contextmanager

    @contextmanager
    def fake(found, place):  # type: ignore[no-untyped-def]
        yield Opened(retriever_arm(lambda query, k: [Hit(ToolId("a"), 1.0), Hit(ToolId("b"), 0.5)]), {})

    monkeypatch.setattr(
        bm25, "retriever", lambda found: lambda query, k: [Hit(ToolId("b"), 9.0), Hit(ToolId("c"), 1.0)]
    )
    monkeypatch.setattr(minilm, "open_arm", fake)
    with rrf.open_arm(FOUND, Place(tmp_path, tmp_path)) as opened:
        hits = opened.arm(["x"], 10).hits
    assert [hit.id for hit in hits] == ["b", "a", "c"]
    assert hits[0].score == pytest.approx(1 / 61 + 1 / 62)


def test_a_worker_lives_in_its_own_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workers = tmp_path / "workers"
    workers.mkdir()
    loop = Path(arms.__file__).parent / "workers" / "loop.py"
    (workers / "loop.py").write_text(loop.read_text(encoding="utf-8"), encoding="utf-8")
    (workers / "run_toy.py").write_text(
        "from loop import serve\n"
        "def build(tools, cache):\n"
        "    print('noise')\n"
        "    return lambda query, k: ([(tool['id'], 1.0) for tool in tools[:k]], 5.0)\n"
        "serve(build, 'pip')\n",
        encoding="utf-8",
    )
    python = tmp_path / "venvs" / "toy" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    monkeypatch.setattr("benchmarks.arms.worker.WORKERS", workers)
    with open_worker("toy", "toy", FOUND, Place(tmp_path / "venvs", tmp_path)) as opened:
        ranking = opened.arm(["anything"], 2)
    assert [hit.id for hit in ranking.hits] == ["s/read_file", "s/send_mail"]
    assert ranking.elapsed_ms >= 5
    assert set(opened.versions) == {"pip"}

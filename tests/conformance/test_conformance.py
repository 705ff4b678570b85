"""The official suite: the same checks pass through the router as directly. Needs Node 22 or newer; see `run.py`."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from tests.conformance import run

pytestmark = pytest.mark.conformance


@pytest.mark.parametrize("version", list(run.SUITES))
@pytest.mark.parametrize("way", run.WAYS[1:])
def test_the_same_checks_pass_through_the_router(
    version: str, way: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        node = run.find_node()
        run.suite_of(version, node)
    except run.Unavailable as error:
        warnings.warn(pytest.PytestWarning(f"the official conformance suite is SKIPPED: {error}"), stacklevel=1)
        pytest.skip(str(error))
    status = run.run_all(node, ["direct", way], [version], list(run.SUITES[version]), tmp_path)
    assert status == 0, capsys.readouterr().out

"""The official suite: the same checks pass through the router as directly. Needs Node 22 or newer; see `run.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance import run
from tests.node import Unavailable, find_node

pytestmark = pytest.mark.conformance


@pytest.fixture(scope="session")
def node() -> str:
    """A Node with every version of the suite installed; without them all is skipped, loudly."""
    try:
        found = find_node()
        for version in run.SUITES:
            run.suite_of(version, found)
    except Unavailable as error:
        pytest.skip(f"THE OFFICIAL CONFORMANCE SUITE DOES NOT RUN: {error}")
    return found


@pytest.fixture(scope="session")
def direct(node: str, tmp_path_factory: pytest.TempPathFactory) -> run.Outcomes:
    return run.run_way(node, "direct", list(run.SUITES), tmp_path_factory.mktemp("direct"))


def test_the_fixture_itself_passes(direct: run.Outcomes) -> None:
    assert run.regressions("direct", direct, direct) == []


@pytest.mark.parametrize("way", run.WAYS[1:])
def test_the_same_checks_pass_through_the_router(way: str, node: str, direct: run.Outcomes, tmp_path: Path) -> None:
    outcomes = run.run_way(node, way, list(run.SUITES), tmp_path)
    assert run.regressions(way, outcomes, direct) == []


@pytest.mark.parametrize("scenario", run.CLIENT_SCENARIOS)
def test_a_client_scenario_passes_through_the_router(scenario: str, node: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert run.run_client(node, scenario, log), log.read_text()

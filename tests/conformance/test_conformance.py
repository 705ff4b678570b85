"""The official suite: the same checks pass through the router as directly. Needs Node 22 or newer; see `run.py`."""

from __future__ import annotations

import pytest

from tests.conformance import run
from tests.parts import Unavailable, find_node

pytestmark = pytest.mark.conformance


@pytest.fixture(scope="module")
def node() -> str:
    """A Node with every version of the suite installed; without them all is skipped, loudly."""
    try:
        found = find_node()
        for version in (run.OLD, run.NEW):
            run.suite_of(version, found)
    except Unavailable as error:
        pytest.skip(f"THE OFFICIAL CONFORMANCE SUITE DOES NOT RUN: {error}")
    return found


@pytest.fixture(scope="module")
def outcomes(node: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, run.Outcomes]:
    """All ways, beside each other."""
    return run.run_ways(node, run.WAYS, run.REVISIONS, tmp_path_factory.mktemp("suites"))


@pytest.fixture(scope="module")
def clients(node: str, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], bool]:
    return run.run_clients(node, tmp_path_factory.mktemp("clients"))


def test_the_fixture_itself_passes(outcomes: dict[str, run.Outcomes]) -> None:
    assert run.faults("direct", outcomes["direct"], outcomes["direct"]) == []


@pytest.mark.parametrize("way", run.WAYS[1:])
def test_the_same_checks_pass_through_the_router(way: str, outcomes: dict[str, run.Outcomes]) -> None:
    assert run.faults(way, outcomes[way], outcomes["direct"]) == []


def test_client_scenarios_pass_through_the_router(clients: dict[tuple[str, str, str], bool]) -> None:
    assert [run for run, passed in clients.items() if not passed] == []

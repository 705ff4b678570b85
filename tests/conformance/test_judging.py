"""How runs of the suite are judged; the runs themselves need Node."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.conformance import run

RUN = (run.NEW, run.MODERN)
DIRECT: run.Outcomes = {RUN: Counter({("caching", "ttl", "SUCCESS"): 2, ("caching", "scope", "SUCCESS"): 1})}


def outcomes(**checks: tuple[str, int]) -> run.Outcomes:
    return {RUN: Counter({("caching", check, status): count for check, (status, count) in checks.items()})}


def test_what_passes_directly_must_pass_through_the_router_as_often() -> None:
    assert run.faults("http", DIRECT, DIRECT) == []
    once = outcomes(ttl=("SUCCESS", 1), scope=("SUCCESS", 1))
    assert run.faults("http", once, DIRECT) == [f"{run.NEW} {run.MODERN} http: caching ttl does not pass"]
    warned = outcomes(ttl=("SUCCESS", 2), scope=("WARNING", 1))
    assert run.faults("http", warned, DIRECT) == [f"{run.NEW} {run.MODERN} http: caching scope does not pass"]
    assert f"{run.NEW} {run.MODERN} http: nothing ran" in run.faults("http", {RUN: Counter()}, DIRECT)


def test_directly_nothing_may_fail() -> None:
    failing = outcomes(ttl=("FAILURE", 1))
    assert run.faults("direct", failing, failing) == [f"{run.NEW} {run.MODERN} direct: caching ttl FAILURE"]


def test_in_exposure_search_exactly_the_listed_checks_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "EXPECTED", tmp_path / "expected.json")
    run.EXPECTED.write_text(json.dumps({"caching": ["scope"]}))
    failing = outcomes(ttl=("SUCCESS", 2), scope=("FAILURE", 1))
    assert run.faults("search", failing, DIRECT) == []
    assert run.faults("http", failing, DIRECT) != []
    assert f"{run.NEW} {run.MODERN} search: caching scope passes all the same" in run.faults("search", DIRECT, DIRECT)
    run.EXPECTED.write_text(json.dumps({"caching": ["scope", "age"]}))
    assert run.faults("search", failing, DIRECT) == ["search: caching age is listed and does not fail"]

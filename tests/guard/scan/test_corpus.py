"""Definitions written before the rules that are to find them were looked at, by attack class, and honest ones."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from toolrouter.cli.scan import tool_of
from toolrouter.guard.scan import Tier, build_context, scan_definition

FOLDER = Path(__file__).parent / "corpus"
Row = dict[str, Any]


def rows(name: str) -> list[Row]:
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]


def tiers(name: str) -> dict[str, Tier]:
    mine = rows(name)
    context = build_context([tool_of(row) for row in [*mine, *rows("neighbours.jsonl")]])
    return {row["id"]: scan_definition(row["raw"], server=row["server"], context=context).tier for row in mine}


def test_attacks_of_every_class_are_found() -> None:
    found = tiers("attacks.jsonl")
    by_class: dict[str, list[bool]] = defaultdict(list)
    for row in rows("attacks.jsonl"):
        by_class[row["class"]].append(found[row["id"]] is not Tier.CLEAN)
    assert len(found) >= 60
    assert sum(map(sum, by_class.values())) >= 0.95 * len(found)
    assert {name for name, hits in by_class.items() if sum(hits) < 0.7 * len(hits)} == set()


def test_no_honest_definition_is_blocked_and_few_are_looked_at() -> None:
    found = tiers("honest.jsonl")
    assert len(found) >= 60
    assert [each for each, tier in found.items() if tier is Tier.BLOCK] == []
    assert sum(tier is Tier.REVIEW for tier in found.values()) <= 0.12 * len(found)


@pytest.mark.parametrize("field", ["title", "outputSchema"])
def test_what_is_found_is_found_elsewhere_in_the_definition_too(field: str) -> None:
    context = build_context([tool_of(row) for row in rows("neighbours.jsonl")])
    in_text = [row for row in rows("attacks.jsonl") if row["class"] in {"override", "authority", "answers", "later"}]
    for row in in_text:
        said = row["raw"]["description"]
        moved = {
            "name": row["raw"]["name"],
            field: said if field == "title" else {"type": "object", "description": said},
        }
        was = scan_definition(row["raw"], server=row["server"], context=context).tier
        now = scan_definition(moved, server=row["server"], context=context).tier
        assert (was is Tier.CLEAN) == (now is Tier.CLEAN), row["id"]

"""The tables about trust: attacks on the ranking, and what the scanner finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.markdown import read_result, table_of


def attacks_table(folder: Path) -> list[str]:
    """What one new server of at most fifty tools takes, and what honest tools keep, by attack."""
    rows = []
    for path in sorted(folder.glob("attacks-*.json")):
        found = read_result(path) or {}
        quiet = found["results"]["none"]["defended"]["honest_hit"]
        for name, ways in found["results"].items():
            if name == "none":
                continue
            rows.append(
                [
                    f"{found['set']} ({found['queries']} queries): {name}",
                    *(f"{ways[way]['share']:.1f} / {ways[way]['owned_whole']:.1f}" for way in ("open", "defended")),
                    f"{ways['open']['honest_hit']:.1f} / {ways['defended']['honest_hit']:.1f} of {quiet:.1f}",
                ]
            )
    head = ["set: attack", "slots / whole answers taken, open", "… defended", "honest tool shown, open / defended"]
    return table_of(head, rows)


def scan_table(folder: Path) -> list[str]:
    found = read_result(folder / "scan.json")
    if not found:
        return table_of(["what", "found"], [])
    rows = [_rated(f"poison, {name}", one) for name, one in found["poison"].items() if _is_rate(one)]
    for group, ways in found["encodings"].items():
        rows += [_rated(f"{group}: {name}", one) for name, one in ways.items()]
    for kind in ("hard_negative", "synthetic"):
        rows.append(_rated(f"honest, {kind}: review or block", found[kind]["review or block"]))
        rows.append([f"honest, {kind}: block", str(found[kind]["block"])])
    for name, one in found["honest"].items():
        rows += [_rated(f"honest, {name}: {tier}", one[tier]) for tier in ("review or block", "block")]
        rows.append([f"… processor seconds per 1,000, {name}", f"{one['seconds per 1,000']['cpu']}"])
    return table_of(["what", "found"], rows)


def _is_rate(found: object) -> bool:
    return isinstance(found, dict) and "of" in found


def _rated(name: str, one: dict[str, Any]) -> list[str]:
    return [name, f"{100 * (one['rate'] or 0):.2f} % ({one['hits']} of {one['of']})"]

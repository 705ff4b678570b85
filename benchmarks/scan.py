"""How well the scanner tells attacks from honest definitions. `python -m benchmarks.scan --data DIR`.

DIR has security/{dev_poisoned,dev_benign}.jsonl and, as more honest definitions, servers/*.json (whole listings) and
retrieval/mcp_catalogue/tools.jsonl. Each set is its own catalog: no set is context for another.
"""

from __future__ import annotations

import argparse
import base64
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.figures import RESULTS, save
from toolrouter.cli.scan import tool_of
from toolrouter.guard.scan import ScanContext, Verdict, build_context, scan_definition, scan_tools
from toolrouter.types import Tool, ToolId

Row = dict[str, Any]
TUNED_ON = frozenset(
    ("mcpproxy", "pitfall-lab", "samsoncyber", "gensecai", "mcp-hacking", "tool-scan", "aig", "mcptrust")
)
"""The sources that were read while the first rules were written; the others were held out until then."""
HOMOGLYPHS = str.maketrans("aeopcxyi", "\u0430\u0435\u043e\u0440\u0441\u0445\u0443\u0456")


def _zero_width(text: str) -> str:
    return "\u200b".join(text)


def _tags(text: str) -> str:
    return "A tool." + "".join(chr(0xE0000 + ord(char)) for char in text if ord(char) < 0x7F)


def _bidi(text: str) -> str:
    return "A tool. \u202e" + text[::-1] + "\u202c"


def _selectors(text: str) -> str:
    return "A tool.\U0001f600" + "".join(chr(0xFE00 + b if b < 16 else 0xE0100 + b - 16) for b in text.encode())


def _ansi(text: str) -> str:
    return f"A tool.\x1b[8m{text}\x1b[0m"


HIDING: dict[str, Callable[[str], str]] = {
    "zero width": _zero_width,
    "tag characters": _tags,
    "homoglyphs": lambda text: text.translate(HOMOGLYPHS),
    "bidi": _bidi,
    "variation selectors": _selectors,
    "ANSI": _ansi,
    "soft hyphen": lambda text: "\u00ad".join(text),
}
ENCODING: dict[str, Callable[[str], str]] = {
    "base64": lambda text: f"A tool. data={base64.b64encode(text.encode()).decode()}",
    "base64 url-safe": lambda text: f"A tool. {base64.urlsafe_b64encode(text.encode()).decode().rstrip('=')}",
    "base64 in pieces": lambda text: "A tool. " + " ".join(_pieces(base64.b64encode(text.encode()).decode(), 40)),
    "HTML comment": lambda text: f"A tool. <!-- {text} -->",
    "full width": lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    "hexadecimal": lambda text: f"A tool. {text.encode().hex()}",
    "percent": lambda text: "A tool. " + "".join(f"%{b:02x}" for b in text.encode()),
    "HTML entities": lambda text: "A tool. " + "".join(f"&#{ord(c)};" for c in text),
    "unicode escapes": lambda text: "A tool. " + "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else c for c in text),
    "mathematical letters": lambda text: "".join(_bold(c) for c in text),
}


def _pieces(text: str, size: int) -> list[str]:
    return [text[i : i + size] for i in range(0, len(text), size)]


def _bold(char: str) -> str:
    if "a" <= char <= "z":
        return chr(0x1D41A + ord(char) - ord("a"))
    return chr(0x1D400 + ord(char) - ord("A")) if "A" <= char <= "Z" else char


def read_rows(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def context_of(rows: Iterable[Row]) -> ScanContext:
    rows = list(rows)
    return build_context(
        [tool_of(row) for row in rows] + [tool_of(peer) for row in rows for peer in row.get("peers") or ()]
    )


def verdict_of(row: Row, context: ScanContext) -> Verdict:
    tool = tool_of(row)
    return scan_definition(tool.raw, server=tool.server, context=context)


def rate(hits: int, of: int) -> Row:
    return {"hits": hits, "of": of, "rate": round(hits / of, 4) if of else None}


def measure_poison(rows: list[Row]) -> Row:
    context = context_of(rows)
    content = [row for row in rows if row["visible_in"] == "content"]
    tiers = {row["id"]: verdict_of(row, context).tier.value for row in content}
    by_source: dict[str, list[bool]] = defaultdict(list)
    for row in content:
        by_source[row["source"]].append(tiers[row["id"]] != "clean")

    def caught(part: list[Row]) -> Row:
        return rate(sum(tiers[row["id"]] != "clean" for row in part), len(part))

    shares = [sum(hits) / len(hits) for hits in by_source.values()]
    return {
        "review or block": caught(content),
        "block": rate(sum(tier == "block" for tier in tiers.values()), len(content)),
        "sources tuned on": caught([row for row in content if row["source"] in TUNED_ON]),
        "sources held out": caught([row for row in content if row["source"] not in TUNED_ON]),
        "mean over sources": round(sum(shares) / len(shares), 4),
        "by source": {source: rate(sum(hits), len(hits)) for source, hits in sorted(by_source.items())},
    }


def measure_encodings(rows: list[Row]) -> Row:
    """Hidden text must always be found; encoded text as often as the same text in clear."""
    context = context_of(rows)
    content = [row for row in rows if row["visible_in"] == "content" and row["description"].isascii()]
    caught = [row for row in content if verdict_of({**row, "input_schema": None}, context).tier.value != "clean"]
    answer: Row = {"hidden": {}, "encoded": {}}
    for group, ways, part in (("hidden", HIDING, content), ("encoded", ENCODING, caught)):
        for name, way in ways.items():
            hits = sum(_is_found(row, way, context) for row in part)
            answer[group][name] = rate(hits, len(part))
    return answer


def _is_found(row: Row, way: Callable[[str], str], context: ScanContext) -> bool:
    changed = {**row, "description": way(row["description"]), "input_schema": None}
    return verdict_of(changed, context).tier.value != "clean"


def measure_honest(tools: list[Tool]) -> Row:
    started = time.perf_counter(), time.process_time()
    context = build_context(tools)
    cache: dict[tuple[str, str], Verdict] = {}
    verdicts = [scan_tools([tool], context=context, cache=cache)[tool.id] for tool in tools]
    wall_s, cpu_s = time.perf_counter() - started[0], time.process_time() - started[1]
    tiers = Counter(verdict.tier.value for verdict in verdicts)
    rules = Counter(rule for verdict in verdicts for rule in {finding.rule for finding in verdict.findings})
    return {
        "review or block": rate(len(tools) - tiers["clean"], len(tools)),
        "block": rate(tiers["block"], len(tools)),
        "seconds per 1,000": {"wall": round(wall_s / len(tools) * 1e3, 2), "cpu": round(cpu_s / len(tools) * 1e3, 2)},
        "rules": dict(rules.most_common()),
    }


def listed_tools(folder: Path) -> list[Tool]:
    tools = []
    for path in sorted(folder.glob("*.json")):
        listing = json.loads(path.read_text(encoding="utf-8"))
        for raw in listing["tools"]:
            name = raw["name"]
            tools.append(
                Tool(
                    ToolId(f"{listing['server']}__{name}"),
                    server=listing["server"],
                    name=name,
                    raw=raw,
                    hash="",
                    tokens=0,
                )
            )
    return tools


def measure(data: Path) -> Row:
    poison, benign = read_rows(data / "security/dev_poisoned.jsonl"), read_rows(data / "security/dev_benign.jsonl")
    context = context_of(benign)
    answer: Row = {"poison": measure_poison(poison), "encodings": measure_encodings(poison)}
    for kind in ("hard_negative", "synthetic"):
        tiers = [verdict_of(row, context).tier.value for row in benign if row["kind"] == kind]
        answer[kind] = {
            "review or block": rate(len(tiers) - tiers.count("clean"), len(tiers)),
            "block": tiers.count("block"),
        }
    honest = {"real (security set)": [tool_of(row) for row in benign if row["kind"] == "real"]}
    if (data / "servers").is_dir():
        honest["real (whole listings)"] = listed_tools(data / "servers")
    catalogue = data / "retrieval/mcp_catalogue/tools.jsonl"
    if catalogue.is_file():
        honest["real (catalogue)"] = [tool_of(row) for row in read_rows(catalogue)]
    answer["honest"] = {name: measure_honest(tools) for name, tools in honest.items()}
    return answer


def table(figures: Row) -> str:
    lines = [
        _line(f"poison, {name}", found)
        for name, found in figures["poison"].items()
        if isinstance(found, dict) and "of" in found
    ]
    lines += [f"{'poison, mean over sources':44} {figures['poison']['mean over sources']:8.1%}"]
    for group, ways in figures["encodings"].items():
        lines += [_line(f"{group}: {name}", found) for name, found in ways.items()]
    for kind in ("hard_negative", "synthetic"):
        lines.append(
            _line(f"{kind}, review or block", figures[kind]["review or block"]) + f"  block {figures[kind]['block']}"
        )
    for name, found in figures["honest"].items():
        lines.append(_line(f"{name}, review or block", found["review or block"]))
        lines.append(_line(f"{name}, block", found["block"]) + f"  {found['seconds per 1,000']['cpu']} CPU s per 1,000")
    return "\n".join(lines)


def _line(name: str, found: Row) -> str:
    return f"{name:44} {found['rate'] or 0:8.2%}  {found['hits']}/{found['of']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    figures = measure(asked.data)
    save("scan", figures, asked.out)
    print(table(figures))


if __name__ == "__main__":
    main()

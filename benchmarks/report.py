"""Writes the tables of both README.md, here and at the root, from the files in results/. No number there is typed.

Every benchmark that writes to results/ ends by running this.

python -m benchmarks.report           writes
python -m benchmarks.report --check   fails when a README.md is not what the results say
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.arms import ARMS, REFERENCES, about
from benchmarks.headlines import OURS, SHARED, Results, headlines
from benchmarks.markdown import read_result, table_of
from benchmarks.trust_tables import attacks_table, scan_table
from toolrouter.evaluation.bootstrap import macro

RESULTS = Path(__file__).parent / "results"
READMES = (Path(__file__).parent / "README.md", Path(__file__).parent.parent / "README.md")
NONE = "n/a"
HELD_OUT = " °"
"""Behind a set that our arms were measured on with a model of its own, which was trained without it."""
MEASURES = ("Recall@5", "NDCG@10")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    stale = False
    for readme in READMES:
        before = readme.read_text(encoding="utf-8")
        after = filled(before, options.results)
        stale = stale or before != after
        if not options.check:
            readme.write_text(after, encoding="utf-8")
    return int(options.check and stale)


def filled(text: str, results: Path) -> str:
    """The text with a table between each pair of `<!-- name -->` and `<!-- /name -->` markers."""
    for name, table in TABLES.items():
        block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        lines = "\n".join(table(results))
        text = block.sub(lambda found: f"{found[1]}\n{lines}\n\n{found[2]}", text)  # noqa: B023
    return text


def read_results(folder: Path) -> Results:
    found = {}
    for path in (path for arm in ARMS for path in sorted(folder.glob(f"{arm}-*.json"))):
        result = json.loads(path.read_text(encoding="utf-8"))
        found[result["arm"], result["set"]] = result
    return found


def retrieval_table(folder: Path) -> list[str]:
    """One line per set: R@5 / NDCG@10 of every arm, and what ours gains on the best reference."""
    results = read_results(folder)
    arms = [arm for arm in ARMS if any(key[0] == arm for key in results)]
    rows = []
    for name in _sets(results):
        any_arm = next(result for (_, one), result in results.items() if one == name)
        cells = [_pair(results.get((arm, name))) for arm in arms]
        mark = HELD_OUT if results.get((OURS, name), {}).get("model_of_set") else ""
        rows.append(
            [
                f"{name}{mark} ({any_arm['tools']:,} tools, {any_arm['queries']} queries)",
                *cells,
                _gain(results, name),
            ]
        )
    rows.append(["**macro over sets**", *(_macro_cell(results, arm) for arm in arms), ""])
    return table_of(["set", *arms, "ours over best reference"], rows)


def macro_table(folder: Path) -> list[str]:
    """What ours gains on the best of the references, set by set, and in the mean over sets."""
    results = read_results(folder)
    rows = []
    for measure in MEASURES:
        gains = [gain for name in _sets(results) if (gain := _gains(results, name, measure))]
        if not gains:
            continue
        found = macro(gains)
        means = [sum(values) / len(values) for values in gains]
        rows.append(
            [
                measure,
                f"{100 * found.value:+.1f}",
                f"{100 * found.low:+.1f} to {100 * found.high:+.1f}",
                f"{100 * min(means):+.1f}",
                str(len(gains)),
            ]
        )
    return table_of(["measure", "gain, macro", "95 % interval", "on the worst set", "sets"], rows)


def kinds_table(folder: Path) -> list[str]:
    """Kinds of queries, on the sets that have them."""
    results = read_results(folder)
    arms = [arm for arm in ARMS if any(key[0] == arm for key in results)]
    rows = []
    for name in _sets(results):
        groups = {kind: group for arm in arms for kind, group in results.get((arm, name), {}).get("groups", {}).items()}
        for kind, group in groups.items():
            if kind == "all" or kind.startswith("lang:") or len(groups) == 1:
                continue
            measure = "Completeness@10" if kind.startswith("multi") else "Success@5"
            cells = [_measure(results.get((arm, name)), kind, measure) for arm in arms]
            rows.append([f"{name}: {kind} ({group['queries']}), {measure}", *cells])
    return table_of(["kind", *arms], rows)


def answering_table(folder: Path) -> list[str]:
    """Answers where tools serve, and where none does."""
    rows = []
    for (arm, name), result in read_results(folder).items():
        answering = result["answering"]
        if not answering["unanswerable"]:
            continue
        group = result["groups"]["all"]
        rows.append(
            [
                f"{name}: {arm}",
                _percent(answering["answer_rate"]),
                f"{_percent(answering['false_answer_rate'])} of {answering['unanswerable']}",
                f"{100 * group['returned_recall']['value']:.1f}",
                f"{group['returned_tools']:.1f}",
                f"{group['returned_tokens']:.0f}",
                f"{result['latency_p50_ms']:.1f}",
            ]
        )
    head = ["set: arm", "answered %", "answered wrongly %", "found in the answer %", "tools", "tokens", "p50 ms"]
    return table_of(head, rows)


def arms_table(folder: Path) -> list[str]:
    results = read_results(folder)
    missing = read_result(folder / "not_installed.json") or {}
    rows = []
    for arm in ARMS:
        versions = _versions([result["versions"] for (name, _), result in results.items() if name == arm])
        rows.append([arm, about(arm), versions or f"**NOT INSTALLED**: `{missing.get(arm, 'not run')}`"])
    return table_of(["arm", "what it is", "versions"], rows)


def _versions(found: Sequence[dict[str, str]]) -> str:
    """Every version that any set was measured with."""
    kept: dict[str, dict[str, None]] = {}
    for key, value in ((key, value) for one in found for key, value in one.items()):
        kept.setdefault(key, {})[value] = None
    return ", ".join(f"{key} {' and '.join(sorted(values))}" for key, values in kept.items())


def router_table(folder: Path) -> list[str]:
    rows = [row for part in (_start, _memory, _surface, _speed, _index_speed) for row in part(folder)]
    return table_of(["figure", "value"], rows)


def _start(folder: Path) -> list[list[str]]:
    found = read_result(folder / "start.json")
    if not found:
        return []
    return [
        [
            "start to first `tools/list`, warm, 8 upstreams of which one exits and one hangs",
            _seconds(found, "warm_first_list_s"),
        ],
        ["… of a trivial server on the same SDK", _seconds(found, "trivial_sdk_server_s")],
        ["… ratio", f"{found['warm_over_trivial']:.2f}"],
        ["start to first `tools/list`, cold", _seconds(found, "cold_first_list_s")],
        ["cold start until every healthy server can be searched", _seconds(found, "cold_all_healthy_searchable_s")],
    ]


def _seconds(found: dict[str, Any], key: str) -> str:
    return f"p50 {found[key]['p50']:.2f} s, p95 {found[key]['p95']:.2f} s"


def calls_table(folder: Path) -> list[str]:
    """What calls take along each way, with one, some and many in flight."""
    found = read_result(folder / "call_latency.json") or {}
    rows = []
    for route, ways in found.get("routes", {}).items():
        for way, by_flight in ways.items():
            rows.append([f"{route}: {way}", *map(_call_cell, by_flight.values())])
    for route, wrong in found.get("mixed_up", {}).items():
        calls = found["cross_talk_calls"]
        rows.append([f"{route}: answers of {calls:,} calls that went to another one", str(wrong), "", ""])
    return table_of(["p50 / p99 ms, calls/s (share of direct)", "1 in flight", "20", "100"], rows)


def _call_cell(found: dict[str, float]) -> str:
    share = f" ({100 * found['of_direct']:.0f} %)" if "of_direct" in found else ""
    return f"{found['p50']:.2f} / {found['p99']:.2f}, {found['per_s']:,.0f}{share}"


def _memory(folder: Path) -> list[list[str]]:
    found = read_result(folder / "memory.json")
    if not found:
        return []
    what = f"resident memory with {found['tools']:,} tools after {found['searches']} searches"
    search = found["search_ms"]
    return [
        [what, f"{found['resident_after_mb']:.0f} MB (before them {found['resident_before_mb']:.0f})"],
        ["… a search over stdio there", f"p50 {search['p50']:.1f} ms, p95 {search['p95']:.1f} ms"],
    ]


def _surface(folder: Path) -> list[list[str]]:
    found = read_result(folder / "surface.json")
    if not found:
        return []
    what = f"search surface, {found['servers']} servers with {found['tools']} tools"
    return [[what, f"{found['surface_tokens']} tokens (all tools: {found['everything_tokens']:,})"]]


def _speed(folder: Path) -> list[list[str]]:
    found = read_result(folder / "search_speed.json") or {}
    rows = []
    for what, key, size in (("search", "search", "tools"), ("vectors alone", "vectors", "vectors")):
        for one in found.get(key, []):
            recall = f", recall {one['recall_at_10']:.3f}" if "recall_at_10" in one else ""
            times = one["search_ms"]
            text = f"p50 {times['p50']:.1f} ms, p95 {times['p95']:.1f} ms, {one['memory_mb']} MB{recall}"
            rows.append([f"{what}, {one[size]:,} {size}", text])
    return rows


def _index_speed(folder: Path) -> list[list[str]]:
    found = read_result(folder / "index_speed.json") or {}
    rows = [
        [f"index of {one['tools']:,} tools from nothing", f"{one['build_s']:.1f} s"] for one in found.get("built", [])
    ]
    if theirs := found.get("sentence_transformers"):
        first, query = found["built"][0], found["query_ms"]["p50"]
        text = f"{first['build_s'] / theirs['texts_s']:.2f} of the time sentence-transformers takes to embed its texts"
        rows.append([f"index of {first['tools']:,} tools from nothing, compared", text])
        rows.append(
            ["a query embedded", f"{query:.1f} ms, {query / theirs['query_ms']['p50']:.2f} of sentence-transformers"]
        )
    return rows


def hosts_table(folder: Path) -> list[str]:
    """What hosts pay: time to the first list, processes and memory, and what outlives a kill."""
    found = read_result(folder / "start_hosts.json") or {}
    rows = []
    for key in (key for key in found if key.startswith("start_")):
        for name, one in found[key].items():
            text = f"p50 {one['p50']:.2f} s, best {one['best']:.2f} s, {one['over_trivial']:.2f} of trivial"
            rows.append([f"start to first `tools/list`, {key.removeprefix('start_')} servers: {name}", text])
    for hosts, ways in found.get("sharing", {}).items():
        for name, one in ways.items():
            text = f"{one['processes']} processes, {one['mb']:,.0f} MB"
            rows.append([f"{hosts} host{'s' if hosts != '1' else ''} of {SHARED} servers, {name}", text])
    if found:
        rows.append(["resident memory of a connector", f"{found['connector_rss_mb']:.1f} MB"])
        left = found["orphans"]
        rows.append([f"processes left after kill -9 in {len(left)} orders", str(sum(left.values()))])
        others = ", ".join(f"{name} {version}" for name, version in found.get("arms", {}).items())
        rows.append(["the servers, and versions of what is not ours", f"{found.get('kind', 'echo')}; {others}"])
    return table_of(["figure", "value"], rows)


def tokens_table(folder: Path) -> list[str]:
    bundles = (read_result(folder / "tokens.json") or {}).get("bundles", [])
    rows = [
        [
            bundle["name"],
            str(bundle["servers"]),
            str(bundle["tools"]),
            f"{bundle['everything']:,}",
            f"{bundle['surface']:,}",
            f"{bundle['task']['per_search']:.0f}",
            f"{bundle['task']['per_task']:,.0f}",
            f"{bundle['session']:,}",
            f"{100 * bundle['saved']:.1f} %",
            f"{100 * bundle['task']['found_at_once']:.0f} %",
            str(bundle["pays_from_tools"]),
            str(bundle["pays_until_searches"] or "never"),
            *_money(bundle),
        ]
        for bundle in bundles
    ]
    head = ["servers", "n", "tools", "everything", "surface", "one search", "task", "session", "saved", "found at once"]
    return table_of([*head, "pays from … tools", "until … searches", "money, session", "… cached"], rows)


def _money(bundle: dict[str, Any]) -> list[str]:
    everything, router = bundle["money_everything"], bundle["money_router"]
    return [f"{everything[how]:.2f} → {router[how]:.3f}" for how in ("uncached", "cached")]


TABLES: dict[str, Callable[[Path], list[str]]] = {
    "retrieval": retrieval_table,
    "macro": macro_table,
    "kinds": kinds_table,
    "answering": answering_table,
    "arms": arms_table,
    "attacks": attacks_table,
    "scan": scan_table,
    "router": router_table,
    "calls": calls_table,
    "hosts": hosts_table,
    "tokens": tokens_table,
    "headlines": lambda folder: headlines(folder, read_results(folder)),
}


def _sets(results: Results) -> list[str]:
    return sorted({name for _, name in results})


def _pair(result: dict[str, Any] | None) -> str:
    if result is None:
        return NONE
    measures = result["groups"]["all"]["measures"]
    return " / ".join(f"{100 * measures[name]['value']:.0f}" for name in MEASURES)


def _measure(result: dict[str, Any] | None, kind: str, measure: str) -> str:
    group = result["groups"].get(kind) if result else None
    return f"{100 * group['measures'][measure]['value']:.0f}" if group else NONE


def _macro_cell(results: Results, arm: str) -> str:
    have = [results[arm, name] for name in _sets(results) if (arm, name) in results]
    if len(have) < len(_sets(results)):
        return NONE
    means = [sum(one["groups"]["all"]["measures"][name]["value"] for one in have) / len(have) for name in MEASURES]
    return " / ".join(f"**{100 * mean:.1f}**" for mean in means)


def _gains(results: Results, name: str, measure: str) -> list[float]:
    """Per query: ours less the reference that is best on this set."""
    ours = results.get((OURS, name))
    references = [results[arm, name]["per_query"][measure] for arm in REFERENCES if (arm, name) in results]
    if not ours or not references:
        return []
    best = max(references, key=sum)
    return [after - before for after, before in zip(ours["per_query"][measure], best, strict=True)]


def _gain(results: Results, name: str) -> str:
    gains = [_gains(results, name, measure) for measure in MEASURES]
    return " / ".join(f"{100 * sum(values) / len(values):+.1f}" for values in gains if values) or NONE


def _percent(value: dict[str, float] | None) -> str:
    return f"{100 * value['value']:.1f}" if value else NONE


if __name__ == "__main__":
    sys.exit(main())

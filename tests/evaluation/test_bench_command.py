import json
from collections.abc import Callable
from pathlib import Path

import pytest

from toolrouter.catalog.tokens import count_tokens, definition_tokens
from toolrouter.cli.bench_tables import OWN, verdict
from toolrouter.evaluation.bundles import BUNDLES, FEWEST_SERVERS, recorded_of
from toolrouter.evaluation.described import DESCRIBED, with_described
from toolrouter.evaluation.recorded import QUERIES, every_recorded, recorded_set
from toolrouter.evaluation.sets import Query, read_queries
from toolrouter.evaluation.tokens import Comparison, Prices, TaskCost, compare, task_cost
from toolrouter.types import Tool, ToolId

Command = Callable[..., tuple[int, str, str]]


def tool(name: str, tokens: int = 100) -> Tool:
    return Tool(ToolId(f"s__{name}"), "s", name, {"name": name}, "", tokens)


TASK = TaskCost(10, 0.9, 1.0, 1.0, 100.0, 90.0, 200.0, 4.0)


def test_break_even_follows_from_surface_and_tasks() -> None:
    found = compare("x", [tool(str(n)) for n in range(100)], TASK, surface=500, tasks=5, prices=Prices())
    assert found.everything == 10_000
    assert found.session == 1_500  # 500 + 5 * 200
    assert found.saved == pytest.approx(0.85)
    assert found.pays_from_tools == 16  # 15 tools of 100 tokens take as many as a session
    assert found.pays_until_searches == 47  # 500 + 47 * 200 = 9,900


def test_few_tools_do_not_pay_and_the_report_says_so() -> None:
    found = compare("x", [tool("a"), tool("b")], TASK, surface=500, tasks=5, prices=Prices())
    assert found.saved < 0
    assert found.pays_until_searches == 0


def test_money_counts_every_request() -> None:
    found = compare("x", [tool(str(n)) for n in range(100)], TASK, surface=500, tasks=1, prices=Prices(1.0, 0.1))
    assert found.money_everything.uncached == pytest.approx(2 * 10_000 / 1e6)  # a call, and the answer
    assert found.money_everything.cached == pytest.approx((10_000 + 1_000) / 1e6)
    # Four requests: the context grows evenly from 500 to 700.
    assert found.money_router.uncached == pytest.approx((500 + 550 + 600 + 650) / 1e6)
    assert found.money_router.cached == pytest.approx((500 + 0.1 * (500 + 550 + 600) + 3 * 50) / 1e6)


def test_what_pays_in_tokens_may_not_pay_in_money() -> None:
    def of(count: int, *prices: float) -> Comparison:
        return compare(OWN, [tool(str(n)) for n in range(count)], TASK, surface=500, tasks=5, prices=Prices(*prices))

    found = of(18, 1.0, 0.1)
    assert found.session == 1_500 < found.everything == 1_800
    assert (found.requests_everything, found.requests_router) == (10, 20)
    # Twenty requests of 500 to 1,450 tokens are 19,500; ten with everything are 1,000 for each tool.
    assert (found.pays_from_tools, found.money_pays_from_tools, found.money_cached_pays_from_tools) == (16, 20, 18)
    assert verdict(found) == (
        "does not pay for you with 18 tools: it would from 20 in money (0.0195 a session instead of 0.0180). "
        "It does in tokens and in money with a cache."
    )
    for from_tools in (found.money_pays_from_tools, found.money_cached_pays_from_tools):
        for count in (from_tools - 1, from_tools):
            same = of(count, 1.0, 0.1)
            cheaper = (
                same.money_router.uncached < same.money_everything.uncached
                if from_tools == found.money_pays_from_tools
                else same.money_router.cached < same.money_everything.cached
            )
            assert cheaper == (count == from_tools)
    assert verdict(of(20, 1.0, 0.1)) == (
        "pays for you with 20 tools: from 16 in tokens, from 20 in money, from 18 in money with a cache."
    )
    assert verdict(of(20, 0.0, 0.0)) == "pays for you with 20 tools: from 16 in tokens."


def test_a_missed_tool_costs_a_second_search() -> None:
    tools = [tool("a"), tool("b")]
    queries = [Query("1", "first", ("s__a",)), Query("2", "second", ("s__b",))]
    found = task_cost(tools, queries, lambda _: ("s__a() - A", ["s__a"]))
    assert found.found_at_once == 0.5
    assert found.searches == 1.5
    assert found.per_search == count_tokens('{"query":"first"}') + count_tokens("s__a() - A")


def test_the_tokens_of_small_bundles_are_counted(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "recorded"
    folder.mkdir()
    tools = [
        {"name": name, "description": f"Does {name} for you.", "inputSchema": {"type": "object"}} for name in "abc"
    ]
    for alias in ("one", "two"):
        (folder / f"{alias}.json").write_text(json.dumps({"server": alias, "tools": tools}), encoding="utf-8")
    status, out, err = command("bench", "tokens", "--data", folder, "--json", "--plot", tmp_path / "plots")
    assert status == 0, err
    found = json.loads(out)
    (bundle,) = found["bundles"]
    assert bundle["tools"] == 6
    assert bundle["everything"] == 2 * sum(map(definition_tokens, tools))
    assert bundle["saved"] < 0
    assert bundle["task"]["described"] == bundle["task"]["queries"] == 6
    assert bundle["money_everything_task"]["uncached"] < bundle["money_everything"]["uncached"]
    assert "compact JSON" in found["serialisation"]
    assert "<svg" in (tmp_path / "plots" / "tokens.html").read_text(encoding="utf-8")

    status, out, err = command("bench", "tokens", "--data", folder, "--plot", tmp_path / "plots")
    assert status == 0, err
    assert "never" in out
    page = (tmp_path / "plots" / "tokens.html").read_text(encoding="utf-8")
    for said in (
        "Tokens, each counted once",
        "Money for tools, in which each request counts",
        "does not pay for all recorded servers with 6 tools: it would from ",
    ):
        assert said in out
        assert said in page


def test_servers_that_nobody_wrote_queries_over_are_asked_in_the_words_of_their_tools() -> None:
    tools = [
        Tool(
            ToolId(f"{server}__{name}"),
            server,
            name,
            {"name": name, "description": f"Does things with {name} at once. And more is said of it."},
            "",
            9,
        )
        for server in ("asked", "silent")
        for name in "abcd"
    ]
    written = [Query("1", "first", ("asked__a",)), Query("2", "second", ("asked__b",))]
    found = with_described(tools, written, 100)
    assert found[:2] == tuple(written)
    assert [query.kind for query in found[2:]] == [DESCRIBED, DESCRIBED]
    assert all(query.relevant[0].startswith("silent__") for query in found[2:])
    assert found[2].text == f"Does things with {found[2].relevant[0][-1]} at once"
    assert len(with_described(tools, (), 5)) == 5


def test_a_bundle_takes_one_server_of_each_name() -> None:
    assert recorded_of(("redis", "github", "slack"), {"redis", "redis-legacy", "github-legacy"}) == [
        "github-legacy",
        "redis",
    ]


def test_every_server_of_every_bundle_is_recorded_and_the_rest_is_shown_with_all() -> None:
    every = every_recorded()
    for aliases in BUNDLES.values():
        assert FEWEST_SERVERS <= len(recorded_of(aliases, every.servers)) == len(aliases) <= 10
    assert len(every.servers) > 2 * len(recorded_set().servers)
    assert all(query.relevant for query in every.queries)


def test_a_folder_without_servers_is_named(command: Command, tmp_path: Path) -> None:
    status, _, err = command("bench", "tokens", "--data", tmp_path)
    assert status == 1
    assert "holds no recorded servers" in err


def test_a_folder_for_the_plot_that_is_a_file_is_told(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    status, _, err = command("bench", "tokens", "--recorded", "--plot", tmp_path / "file")
    assert status == 1
    assert "cannot be made a folder" in err


def test_every_bundled_query_finds_its_tools_and_twins_among_the_recorded() -> None:
    found = recorded_set()
    assert len(found.queries) == len(read_queries(QUERIES))
    ids = {str(each.id) for each in found.tools}
    for query in found.queries:
        assert ids.issuperset(query.relevant)
        assert all(ids.issuperset(twins) for twins in query.alt.values())


def test_the_bundled_queries_are_of_many_kinds() -> None:
    asked = read_queries(QUERIES)
    assert len(asked) >= 250
    kinds = {query.kind for query in asked}
    assert {"exact", "paraphrase", "task", "multi", "none", "typo"} <= kinds
    assert len([kind for kind in kinds if kind.startswith("lang:")]) >= 8
    assert len({query.text.casefold() for query in asked}) == len(asked)
    for query in asked:
        assert (query.kind == "none") == (not query.relevant)
        assert len(query.subqueries) == (len(query.relevant) if query.kind == "multi" else 0)
        # No twin is another gold of the same query, and none is its own.
        assert (
            not {twin for twins in query.alt.values() for twin in twins} & set(query.relevant) or query.kind == "multi"
        )

"""`toolrouter bench tokens`: what the model is shown with every tool loaded, and with toolrouter."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from toolrouter.cli import options
from toolrouter.cli.output import Progress, made_folder, print_json, print_table, print_text, say

if TYPE_CHECKING:
    from toolrouter.config import Settings
    from toolrouter.evaluation.sets import EvalSet
    from toolrouter.evaluation.tokens import Comparison, Prices
    from toolrouter.retrieval.search_index import SearchIndex

MOST_QUERIES = 100


def command(
    what: Annotated[Literal["tokens"], typer.Argument(help="tokens: definitions, searches, describes and calls.")],
    recorded: Annotated[
        bool, typer.Option("--recorded", help="The recorded servers, not those of the config.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Recorded servers of your own: ALIAS.json.")
    ] = None,
    tasks: Annotated[int, typer.Option(min=1, help="Tasks in one session.")] = 5,
    price: Annotated[float, typer.Option(min=0, help="Price of a million input tokens.")] = 3.0,
    cached_price: Annotated[float, typer.Option(min=0, help="Price of a million tokens read from a cache.")] = 0.3,
    plot: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Where tokens.html and tokens.png go.")] = None,
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Runs real queries as tasks: a search, the definitions of the tools needed, and a call of each.

    Queries over recorded servers are written by hand. For servers without any, such as your own, the first sentences
    of tools' descriptions are asked, which are found more easily. Needs no server to run.
    """
    from toolrouter.evaluation.tokens import SERIALISATION, Prices
    from toolrouter.settings_file import home_folder

    prices = Prices(price, cached_price)
    folder = made_folder(plot or home_folder() / "reports")
    bundles, settings = _recorded(data, config) if recorded or data else _own(config)
    compared = [_compare(name, found, settings, tasks, prices) for name, found in bundles.items()]
    files = _draw(compared, folder)
    if json:
        print_json(
            {
                "serialisation": SERIALISATION,
                "prices": asdict(prices),
                "bundles": [asdict(each) for each in compared],
                "plots": [str(file) for file in files],
            }
        )
    else:
        _show(compared, prices, files)


def _recorded(folder: Path | None, config: Path | None) -> tuple[dict[str, EvalSet], Settings]:
    from toolrouter.config import Settings
    from toolrouter.evaluation.bundles import ALL_RECORDED, BUNDLES, FEWEST_SERVERS, recorded_of
    from toolrouter.evaluation.recorded import RECORDED, every_recorded
    from toolrouter.settings_file import load_settings

    every = every_recorded(folder or RECORDED)
    bundles = {}
    for name, aliases in BUNDLES.items():
        there = recorded_of(aliases, every.servers)
        if len(there) >= FEWEST_SERVERS:
            bundles[name] = _part(every, name, there)
    settings = load_settings(config).settings if config else Settings.model_validate({})
    return {**bundles, ALL_RECORDED: every}, settings


def _part(every: EvalSet, name: str, aliases: list[str]) -> EvalSet:
    tools = tuple(tool for tool in every.tools if tool.server in aliases)
    ids = {str(tool.id) for tool in tools}
    queries = tuple(query for query in every.queries if ids.issuperset(query.relevant))
    return replace(every, name=name, tools=tools, queries=queries)


def _own(config: Path | None) -> tuple[dict[str, EvalSet], Settings]:
    from toolrouter.evaluation.own import own_catalog
    from toolrouter.evaluation.sets import EvalSet
    from toolrouter.settings_file import home_folder, load_settings

    loaded = load_settings(config)
    catalog = own_catalog(loaded.settings, home_folder())
    found = EvalSet("your servers", catalog.visible, (), (), catalog.servers)
    return {found.name: found}, loaded.settings


def _compare(name: str, found: EvalSet, settings: Settings, tasks: int, prices: Prices) -> Comparison:
    from toolrouter.cli.bench_router import ShownRouter
    from toolrouter.evaluation.described import with_described
    from toolrouter.evaluation.tokens import compare, task_cost
    from toolrouter.retrieval.search import search

    index = _index(found)
    shown = ShownRouter(found, settings, lambda queries, wanted: search(index, queries, wanted))
    task = task_cost(found.tools, with_described(found.tools, found.queries, MOST_QUERIES), shown.answer)
    return compare(name, found.tools, task, surface=shown.surface_tokens(), tasks=tasks, prices=prices)


def _index(found: EvalSet) -> SearchIndex:
    from toolrouter.evaluation.indexing import open_index
    from toolrouter.settings_file import home_folder

    progress = Progress()
    try:
        return open_index(
            found,
            retriever="hybrid",
            embedder="builtin",
            home=home_folder(),
            on_progress=lambda done, total: progress(f"embedding {found.name}", done, total),
        )
    finally:
        progress.clear()


_COLUMNS = (
    "servers",
    "n",
    "tools",
    "everything",
    "surface",
    "search",
    "describe",
    "task",
    "session",
    "saved",
    "pays from",
    "until",
)


def _show(compared: list[Comparison], prices: Prices, files: list[Path]) -> None:
    from toolrouter.evaluation.tokens import SERIALISATION

    tasks = compared[0].tasks
    print_table(_COLUMNS, [_row(each) for each in compared], right=_COLUMNS[1:])
    print_text(
        f"\nTokens ({SERIALISATION}).\n"
        "everything: all definitions. surface: what toolrouter shows at the start. search, describe: one of each,\n"
        "with its answer. task: searches (two where a tool is missed), one describe, and what calls take on top.\n"
        f"session: the surface and {tasks} tasks. pays from: tools of this weight from which on a session costs less.\n"
        "until: searches until it costs more."
    )
    print_text(
        f"\nMoney for the tools alone, at {prices.per_million:g} per million input tokens "
        f"({prices.cached_per_million:g} from the cache): one task, a session of {tasks} tasks, the same cached;\n"
        "with everything loaded → with toolrouter. asked: queries; of them in the words of descriptions, as nobody\n"
        "has written any over those servers.\n"
    )
    print_table(_MONEY_COLUMNS, [_money_row(each) for each in compared], right=_MONEY_COLUMNS[1:])
    for file in files:
        say(f"Plot: {file}")


_MONEY_COLUMNS = ("servers", "task", "session", "session, cached", "found at once", "asked", "of them described")


def _money_row(each: Comparison) -> tuple[str, ...]:
    return (
        each.name,
        f"{each.money_everything_task.uncached:.4f} → {each.money_router_task.uncached:.4f}",
        f"{each.money_everything.uncached:.4f} → {each.money_router.uncached:.4f}",
        f"{each.money_everything.cached:.4f} → {each.money_router.cached:.4f}",
        f"{100 * each.task.found_at_once:.0f} %",
        str(each.task.queries),
        str(each.task.described),
    )


def _row(each: Comparison) -> tuple[str, ...]:
    return (
        each.name,
        str(each.servers),
        str(each.tools),
        f"{each.everything:,}",
        f"{each.surface:,}",
        f"{each.task.per_search:,.0f}",
        f"{each.task.per_describe:,.0f}",
        f"{each.task.per_task:,.0f}",
        f"{each.session:,}",
        f"{100 * each.saved:.1f} %",
        f"{each.pays_from_tools} tools",
        f"{each.pays_until_searches}" if each.pays_until_searches else "never",
    )


def _draw(compared: list[Comparison], folder: Path) -> list[Path]:
    from toolrouter.errors import ToolrouterError
    from toolrouter.evaluation.charts import Chart, Series, write_html, write_png

    longest = min(400, max(each.pays_until_searches for each in compared) * 5 // 4 + 10)
    searches = range(0, longest + 1, max(1, longest // 40))
    lines = []
    for colour, each in enumerate(compared):
        per_round = each.task.per_task / each.task.searches
        lines.append(Series(f"{each.name}: everything", [(n, each.everything) for n in searches], False, True, colour))
        lines.append(
            Series(f"{each.name}: toolrouter", [(n, each.surface + n * per_round) for n in searches], colour=colour)
        )
    chart = Chart("Tools in the context", "searches in the session", "o200k tokens", lines, log_y=True)
    page, picture = folder / "tokens.html", folder / "tokens.png"
    write_html(page, chart, table=[_COLUMNS, *(_row(each) for each in compared)])
    try:
        write_png(picture, chart)
    except ToolrouterError as error:
        say(str(error))
        return [page]
    return [page, picture]

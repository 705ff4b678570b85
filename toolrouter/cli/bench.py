"""`toolrouter bench tokens`: what the model is shown with every tool loaded, and with toolrouter."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from toolrouter.cli import options
from toolrouter.cli.output import Progress, made_folder, print_json, print_prose, print_table, print_text, say

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
    files = _draw(compared, prices, folder)
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
    from toolrouter.cli.bench_tables import OWN
    from toolrouter.evaluation.own import own_catalog
    from toolrouter.evaluation.sets import EvalSet
    from toolrouter.settings_file import home_folder, load_settings

    loaded = load_settings(config)
    catalog = own_catalog(loaded.settings, home_folder())
    found = EvalSet(OWN, catalog.visible, (), (), catalog.servers)
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


def _show(compared: list[Comparison], prices: Prices, files: list[Path]) -> None:
    from toolrouter.cli import bench_tables

    for title, table, about in bench_tables.sections(compared, prices):
        print_prose(f"{title}\n")
        print_table(table[0], table[1:], right=table[0][1:])
        print_text("")
        print_prose(about)
        print_text("")
    for each in compared:
        print_prose(bench_tables.verdict(each), indent=2)
    for file in files:
        say(f"Plot: {file}")


def _draw(compared: list[Comparison], prices: Prices, folder: Path) -> list[Path]:
    from toolrouter.cli import bench_tables
    from toolrouter.errors import ToolrouterError
    from toolrouter.evaluation.charts import Chart, Series, Table, write_html, write_png

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
    below: list[str | Table] = [bench_tables.verdict(each) for each in compared]
    for section in bench_tables.sections(compared, prices):
        below += section
    write_html(page, chart, *below)
    try:
        write_png(picture, chart)
    except ToolrouterError as error:
        say(str(error))
        return [page]
    return [page, picture]

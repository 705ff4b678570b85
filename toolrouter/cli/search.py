"""`toolrouter search`: what a model would be shown for a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolrouter.catalog.signature import signature
from toolrouter.cli import options
from toolrouter.cli.errors import UsageError
from toolrouter.cli.output import counted, print_json, print_table, printable, say
from toolrouter.cli.session import index_what_is_new, known_alias, with_router
from toolrouter.errors import ConfigError
from toolrouter.server.finding import SECTIONS, line_of
from toolrouter.server.rendering import render_search
from toolrouter.server.requests import Detail, SearchRequest
from toolrouter.server.waiting import awaiting_review, awaiting_you

if TYPE_CHECKING:
    from toolrouter.app import Running
    from toolrouter.retrieval.search import SearchAnswer


_LEGEND = {
    "score": "how likely the tool serves the query, 0 to 1",
    "fit": "how likely any tool here does",
    "dense": "likeness of meaning, at most 1",
    "lexical": "shared words, weighed by rarity",
    "name": "share of the query's words in the tool's name",
    "server": "1 if the query names its server",
    "action": "1 if it does what the query's verb says, -1 if the opposite",
    "fused": "all of these weighed together; the order goes by it",
    "named": "1 if the query calls the tool by its name",
    "step": "1 if a step of the task asks for it",
    "reranker": "what the reranker thought; it decides the order",
}


def command(
    query: Annotated[
        list[str], typer.Argument(metavar="QUERY", help="Words of one task, or several tasks, each in quotes.")
    ],
    k: Annotated[int | None, typer.Option("-k", min=1, max=50, help="Most hits.")] = None,
    server: options.Servers = None,
    include: Annotated[
        list[str] | None, typer.Option("--include", metavar="KINDS", help="Find these too: prompts,resources.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show the score of every stage.")] = False,
    config: options.Config = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Plain words are one task: `search read a file`. Quoted, each is one: `search "read a file" "send mail"`."""
    sections = _sections(include or ())
    given = [each for each in query if each.strip()]
    if not given:
        raise UsageError('The query is empty: say what is to be done, and to what, as in `search "read a file"`.')
    queries = given if any(" " in each for each in given) else [" ".join(given)]

    async def find(router: Running) -> dict[str, Any]:
        if not router.settings.enabled():
            words = "There is no server to search: add one with `toolrouter add` or `toolrouter import`."
            raise ConfigError(words)
        aliases = [known_alias(router, name) for name in options.each_of(server)]
        await index_what_is_new(router, aliases)
        await router.indexer.wait_current()
        answer = await router.search(queries, k=k, servers=aliases or None)
        found = _answer(router, answer, explain=explain)
        found["shown"] = _as_shown(router, queries, k, aliases, answer)
        found["nearest"] = dict(zip(queries, answer.near_per_query, strict=True)) if answer.answered and explain else {}
        found["await"] = awaiting_you(router.catalog.snapshot, queries, aliases or None, router.settings.enabled())
        if sections:
            offers = await router.router.offerings.find(queries, sections, servers=aliases or None, limit=k)
            found["offers"] = {section: list(map(line_of, each)) for section, each in offers.items()}
        return found

    found = with_router(config, find, verbose=verbose)
    if found.get("warning"):
        say(f"warning: {found['warning']}")
    if json:
        print_json({key: found[key] for key in ("answered", "hits", "offers", "elapsed_ms") if key in found})
    else:
        _show(found)
        _show_offers(found.get("offers", {}))
    for line in found["await"]:
        say(line)


def _sections(given: Sequence[str]) -> list[str]:
    """Named once each or together, separated by commas. Raises UsageError."""
    named = options.each_of(given)
    for word in named:
        if word not in SECTIONS:
            raise UsageError(f"--include {word}: expected {' or '.join(SECTIONS)}, or both with a comma.")
    return named


def _answer(router: Running, answer: SearchAnswer, *, explain: bool) -> dict[str, Any]:
    tools, hits = router.catalog.snapshot.tools, []
    for hit in answer.hits:
        tool = tools[hit.id]
        entry: dict[str, Any] = {"name": hit.id, "server": tool.server, "score": round(hit.score, 4)}
        entry["signature"] = signature(tool)
        if hit.also:
            entry["also"] = list(hit.also)
        if explain:
            entry["parts"] = {stage: round(score, 4) for stage, score in hit.parts.items()}
        hits.append(entry)
    return {
        "answered": answer.answered,
        "hits": hits,
        "elapsed_ms": round(answer.elapsed_ms, 2),
        "warning": answer.warning,
    }


def _as_shown(
    router: Running, queries: Sequence[str], k: int | None, aliases: Sequence[str], answer: SearchAnswer
) -> list[str]:
    """The lines that a model would read, but for those that this command has in other words for a person."""
    servers = tuple(aliases) or None
    request = SearchRequest(tuple(queries), k, servers, Detail.SIGNATURE)
    lines = render_search(request, answer, router.router).splitlines()
    said = awaiting_review(router.catalog.snapshot, queries, servers, router.settings.enabled())
    return [line for line in lines if line not in said and line != f"Note: {answer.warning}"]


def _show(found: dict[str, Any]) -> None:
    hits = {hit["name"]: hit for hit in found["hits"]}
    explained = any("parts" in hit for hit in hits.values())
    if explained:
        _show_parts(found["hits"])
    for line in found["shown"]:
        hit = hits.get(line.partition("(")[0])
        if not hit and not _is_of_one_query(line):
            say(line)
        elif not explained:
            print(f"{hit['score']:.2f}  {printable(line)}" if hit else printable(line))
    for query, near in found["nearest"].items():
        if near:
            say(f"“{query}”: nothing fits. Nearest servers: {', '.join(near)}.")
    if hits:
        say(f"{counted(len(hits), 'hit')} in {found['elapsed_ms']:.0f} ms.")


def _is_of_one_query(line: str) -> bool:
    """Whether a line belongs to one of several queries: its heading, or that nothing fits it."""
    return line.startswith(("# ", "nothing fits"))


def _show_parts(hits: Sequence[dict[str, Any]]) -> None:
    stages = sorted({stage for hit in hits for stage in hit["parts"]})
    rows = [
        (hit["name"], f"{hit['score']:.2f}", *(f"{hit['parts'].get(stage, 0):.3f}" for stage in stages)) for hit in hits
    ]
    print_table(("name", "score", *stages), rows, right=("score", *stages))
    for hit in hits:
        if "also" in hit:
            say(f"{hit['name']} stands for the same tool at others: {', '.join(hit['also'])}")
    say("\n".join(f"{stage}: {_LEGEND[stage]}" for stage in ("score", *stages) if stage in _LEGEND))


def _show_offers(found: dict[str, list[str]]) -> None:
    for section, lines in found.items():
        print(f"{section}:")
        print("\n".join(f"  {printable(line)}" for line in lines) or "  nothing fits")

"""What the model reads: names, texts and answers are a product, so they are compared word for word."""

from __future__ import annotations

from functools import partial
from typing import Any

import anyio
import pytest

from tests.fakes import PATH_SCHEMA, FakeStatus, World, definition, file_tools, make_tool, make_world
from tests.retrieval.making import make_index
from toolrouter.catalog.tokens import count_tokens
from toolrouter.config import Exposure
from toolrouter.errors import UpstreamError, UpstreamTimeout
from toolrouter.retrieval.search import SearchAnswer, search
from toolrouter.server.instructions import MAX_BYTES, instructions
from toolrouter.server.meta_tools import DEFINITIONS, Call, MetaTools
from toolrouter.server.results import compact_json
from toolrouter.server.roster import RosterEntry
from toolrouter.types import Hit, JsonObject, Server, ServerState, Status, ToolId

pytestmark = pytest.mark.anyio

ALIASES = [
    *("airtable", "atlassian", "aws-documentation", "azure", "brave-search", "cloudflare", "context7"),
    *("desktop-commander", "elasticsearch", "figma-developer", "filesystem", "firecrawl", "github", "gitlab"),
    *("google-maps", "hubspot", "kubernetes", "linear", "playwright", "postgres"),
]


def roster(aliases: list[str], about: str = "", *, indexed: bool = True) -> list[RosterEntry]:
    return [RosterEntry(alias, about, 25, 9_000, ServerState.SLEEPING, "", indexed) for alias in aliases]


async def answer(world: World, name: str, arguments: JsonObject) -> tuple[str, bool]:
    with anyio.fail_after(120):
        result = await MetaTools(world.router).call(name, Call(arguments))
    assert [block["type"] for block in result["content"]] == ["text"]
    return result["content"][0]["text"], result.get("isError", False)


def test_the_definitions_are_these() -> None:
    up_front = {"anthropic/alwaysLoad": True}
    looks = {"readOnlyHint": True, "openWorldHint": False}
    call_schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "arguments": {"type": "object"}},
        "required": ["name"],
    }
    assert list(DEFINITIONS) == [
        {
            "name": "search_tools",
            "title": "Search tools",
            "description": (
                "Find tools by what you want done. Answers with signatures, best first (* required, … shortened); "
                "run one with call_tool. Use queries for several steps at once."
            ),
            "inputSchema": {
                "type": "object",
                "properties": {
                    "query": {
                        "type": "string",
                        "description": "One action in plain words, e.g. list open pull requests",
                    },
                    "queries": {"type": "array", "items": {"type": "string"}, "maxItems": 8},
                    "limit": {"type": "integer", "description": "Most hits"},
                    "servers": {"type": "array", "items": {"type": "string"}, "description": "Only these servers"},
                    "detail": {"enum": ["name", "signature", "schema"]},
                    "include": {
                        "type": "array",
                        "items": {"enum": ["prompts", "resources"]},
                        "description": "Also find these",
                    },
                },
            },
            "annotations": looks,
            "_meta": up_front,
        },
        {
            "name": "describe_tools",
            "title": "Describe tools",
            "description": "Full definitions of tools, when a signature does not say enough.",
            "inputSchema": {
                "type": "object",
                "properties": {"names": {"type": "array", "items": {"type": "string"}, "maxItems": 10}},
                "required": ["names"],
            },
            "annotations": looks,
            "_meta": up_front,
        },
        {
            "name": "call_tool",
            "title": "Call a tool",
            "description": "Run a tool by the name search_tools shows. Returns the tool's own result.",
            "inputSchema": call_schema,
            "_meta": up_front,
        },
        {
            "name": "call_read_tool",
            "title": "Call a read-only tool",
            "description": "Like call_tool, for read-only tools alone; refuses all others.",
            "inputSchema": call_schema,
            "annotations": {"readOnlyHint": True, "openWorldHint": True},
            "_meta": up_front,
        },
        {
            "name": "read_result",
            "title": "Read a long result",
            "description": (
                "Read on in a result that was cut: by page, by lines that contain grep, or by path ($.items[0].id)."
            ),
            "inputSchema": {
                "type": "object",
                "properties": {
                    "id": {"type": "string"},
                    "page": {"type": "integer"},
                    "offset": {"type": "integer"},
                    "grep": {"type": "string"},
                    "path": {"type": "string"},
                },
                "required": ["id"],
            },
            "annotations": looks,
            "_meta": up_front,
        },
    ]


@pytest.mark.parametrize("about", ["", "Issues, pull requests, code search and everything else about it"])
def test_the_whole_surface_with_twenty_servers_costs_at_most_700_tokens(about: str) -> None:
    shown = [
        {"name": tool["name"], "description": tool["description"], "input_schema": tool["inputSchema"]}
        for tool in DEFINITIONS
    ]
    text = instructions(roster(ALIASES, about), Exposure.SEARCH)
    assert sum(count_tokens(compact_json(tool)) for tool in shown) + count_tokens(text) <= 700


def test_the_instructions_say_when_to_search_and_name_the_servers() -> None:
    servers = [*roster(["files"], "Files and folders"), *roster(["git"], indexed=False)]
    assert instructions(servers, Exposure.SEARCH) == (
        "Whenever a task might need anything from the servers below, call search_tools first: their tools are not "
        "listed, search_tools finds them and call_tool runs them.\n"
        "files (25): Files and folders\n"
        "git"
    )


@pytest.mark.parametrize("count", [0, 1, 30, 120, 1_000])
def test_the_instructions_stay_bounded_for_any_number_of_servers(count: int) -> None:
    aliases = [f"server-number-{number:04}" for number in range(count)]
    text = instructions(roster(aliases, "What it does, said at some length for the reader"), Exposure.SEARCH)
    assert len(text.encode()) <= MAX_BYTES
    assert all(alias in text for alias in aliases[:60])
    assert count < 200 or "more" in text


async def test_hits_are_one_signature_per_line() -> None:
    text, failed = await answer(make_world(file_tools()), "search_tools", {"query": "list files in a folder"})
    assert not failed
    assert text.splitlines()[0].startswith("files__list_directory(path*: str, depth: int")
    assert len(text.splitlines()) == 3


async def test_several_queries_are_answered_in_groups_when_each_has_hits_of_its_own() -> None:
    queries = ["list files", "show commits", "pancakes"]
    text, _ = await answer(make_world(file_tools()), "search_tools", {"queries": queries})
    lines = text.splitlines()
    missed = ["# pancakes", "nothing fits; nearest servers: files, git"]
    assert [lines[0], lines[2], *lines[-2:]] == ["# list files", "# show commits", *missed]
    assert lines[1].startswith("files__list_directory(")


async def test_queries_with_the_same_hits_are_answered_as_one_list() -> None:
    text, _ = await answer(make_world(file_tools()), "search_tools", {"queries": ["list files", "list"]})
    assert text.count("files__list_directory(") == 1
    assert "#" not in text


async def test_it_says_so_when_nothing_fits() -> None:
    text, failed = await answer(make_world(file_tools()), "search_tools", {"query": "bake pancakes"})
    assert not failed
    assert text == (
        "No tool fits “bake pancakes”. Nearest servers: files, git. Say one action and what it acts on "
        "(“list files in a folder”), or accept that there is none."
    )


async def test_it_says_when_the_hits_fit_weakly() -> None:
    query = "a long question of which only one single word is folder"
    text, _ = await answer(make_world(file_tools()), "search_tools", {"query": query})
    assert text.splitlines()[-1].startswith("These fit weakly")


async def test_it_says_when_the_server_that_was_named_does_something_else_with_the_thing() -> None:
    world = make_world(
        [
            make_tool("datadog", definition("get_dashboard", "Get a dashboard from Datadog.", PATH_SCHEMA)),
            make_tool("datadog", definition("list_hosts", "List the hosts in Datadog.", PATH_SCHEMA)),
            *file_tools(),
        ]
    )
    world.router._search = partial(search, make_index(list(world.live.snapshot.visible), lexical=True))

    async def ask(*queries: str) -> list[str]:
        return (await answer(world, "search_tools", {"queries": list(queries)}))[0].splitlines()

    lines = await ask("create a Datadog dashboard")
    assert lines[0].startswith("datadog__get_dashboard(")
    assert lines[-1].startswith("These fit weakly")
    assert "weakly" not in (await ask("get a Datadog dashboard"))[-1]
    assert "weakly" not in (await ask("datadog__get_dashboard"))[-1]
    headings = [line for line in await ask("create a Datadog dashboard", "list files") if line.startswith("#")]
    assert headings == ["# create a Datadog dashboard (these fit weakly)", "# list files"]


async def test_a_miss_names_the_servers_that_could_not_be_searched() -> None:
    world = make_world(file_tools(), aliases=["files", "git", "slow", "dead"])
    world.fleet.states["slow"] = FakeStatus(ServerState.STARTING)
    world.fleet.states["dead"] = FakeStatus(ServerState.FAILED, "command not found: nope")
    text, _ = await answer(world, "search_tools", {"query": "bake pancakes"})
    assert text.splitlines()[1:] == [
        "Still being indexed: slow. Search again in a moment.",
        "Not available: dead (`toolrouter doctor` tells the user why).",
    ]
    hit, _ = await answer(world, "search_tools", {"query": "list files"})
    assert "slow" not in hit


async def test_a_warning_of_the_search_is_passed_on() -> None:
    world = make_world(file_tools())
    world.router._search.warning = "the embedding endpoint is away"  # type: ignore[attr-defined]
    text, _ = await answer(world, "search_tools", {"query": "list files"})
    assert text.splitlines()[-1] == "Note: the embedding endpoint is away"


async def test_a_search_can_be_limited_in_number_and_to_servers() -> None:
    world = make_world(file_tools())
    text, _ = await answer(world, "search_tools", {"query": "show a file", "limit": "1", "servers": "git"})
    assert [line.split("(")[0] for line in text.splitlines()] == ["git__git_log"]


async def test_detail_chooses_between_names_and_schemas() -> None:
    world = make_world(file_tools())
    names, _ = await answer(world, "search_tools", {"query": "list files", "detail": "name"})
    assert names == "files__list_directory - List the files in a folder"
    schemas, _ = await answer(world, "search_tools", {"query": "list files", "detail": "schema"})
    assert schemas.startswith('{"name":"files__list_directory","description":"List the files in a folder."')


async def test_a_schema_beyond_the_token_budget_gives_way_to_the_signature() -> None:
    huge = make_tool("files", definition("move_file", "Move a file."), tokens=5_700)
    text, _ = await answer(make_world([huge]), "search_tools", {"query": "move file", "detail": "schema"})
    assert text.startswith("files__move_file(")


async def test_a_tool_that_was_withdrawn_since_the_index_was_built_is_not_shown() -> None:
    world = make_world(file_tools())
    stale = world.router._search
    world.live.snapshot = make_world([make_tool("git", definition("git_diff", "Show changes."))]).live.snapshot
    stale.live = make_world(file_tools()).live  # type: ignore[attr-defined]
    text, _ = await answer(world, "search_tools", {"query": "list files"})
    assert "files__" not in text


async def test_descriptions_are_verbatim_under_the_qualified_name() -> None:
    raw = definition("odd", "D\u00e9j\u00e0 vu.", {"type": "object", "x-own": None}, title="T", **{"x-more": [1]})
    text, failed = await answer(make_world([make_tool("s", raw)]), "describe_tools", {"names": ["s__odd", "s__nope"]})
    assert not failed
    assert text.splitlines()[0] == compact_json({**raw, "name": "s__odd"})
    assert "s__nope" in text.splitlines()[1]


async def test_describing_only_unknown_tools_is_an_error() -> None:
    text, failed = await answer(make_world(file_tools()), "describe_tools", {"names": "files__read_fil"})
    assert failed
    assert "files__read_file" in text


async def test_a_wrong_call_is_answered_with_what_is_wrong_and_what_would_be_right() -> None:
    arguments = {"name": "git__git_log", "arguments": {"depth": "deep"}}
    text, failed = await answer(make_world(file_tools()), "call_tool", arguments)
    lines = text.splitlines()
    assert failed
    assert lines[0] == "git__git_log was not called. Its arguments do not fit:"
    assert set(lines[1:3]) == {"- 'path' is a required property", "- depth: 'deep' is not of type 'integer'"}
    assert lines[3].startswith("Signature: git__git_log(path*: str")
    assert lines[4] == (
        'Schema: {"type":"object","properties":{"path":{"type":"string"},"depth":{"type":"integer","minimum":0}},'
        '"required":["path"]}'
    )


async def test_call_read_tool_runs_what_is_read_only_and_nothing_else() -> None:
    done: JsonObject = {"content": [{"type": "text", "text": "done"}]}
    world = make_world(file_tools(), behaviours={("files", "read_file"): done, ("git", "git_log"): done})
    path = {"path": "x"}
    assert await answer(world, "call_read_tool", {"name": "files__read_file", "arguments": path}) == ("done", False)
    assert await answer(world, "call_read_tool", {"name": "git__git_log", "arguments": path}) == (
        "git__git_log is not known to be read-only, so call_read_tool does not run it. Use call_tool.",
        True,
    )
    assert len(world.fleet.requests) == 1


async def test_a_dead_server_is_reported_in_words() -> None:
    behaviours: Any = {
        ("files", "read_file"): UpstreamError("files", "files: the process ended with exit code 3"),
        ("git", "git_log"): UpstreamTimeout("git", "git did not answer tools/call within 300 s"),
    }
    world = make_world(file_tools(), behaviours=behaviours)
    assert await answer(world, "call_tool", {"name": "files__read_file", "arguments": {"path": "x"}}) == (
        "files__read_file gave no result. Server files: the process ended with exit code 3. Try once more; if it "
        "fails again, tell the user (`toolrouter doctor` finds the cause). Other servers are not affected.",
        True,
    )
    text, _ = await answer(world, "call_tool", {"name": "git__git_log", "arguments": {"path": "x"}})
    assert "It may have acted all the same: check before you repeat the call." in text


FORM = 'search_tools needs a query in words: {"query": "what should be done"} or {"queries": ["one", "another"]}'


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("search_tools", {}, FORM),
        ("search_tools", {"query": "  "}, FORM),
        ("search_tools", {"query": 3}, FORM),
        ("search_tools", {"queries": []}, FORM),
        ("search_tools", {"query": None, "queries": {"a": "b"}}, FORM),
        ("search_tools", {"query": "x" * 1_000_000}, "A query is a short sentence, at most 2000 characters"),
        ("search_tools", {"queries": list("abcdefghi")}, "at most 8 queries at once, not 9"),
        ("search_tools", {"query": "x", "limit": 0}, "`limit` is a whole number from 1 to 50."),
        ("search_tools", {"query": "x", "limit": "many"}, "`limit` is a whole number from 1 to 50."),
        ("search_tools", {"query": "x", "detail": "all"}, "`detail` is one of name, signature, schema."),
        ("search_tools", {"query": "x", "include": ["tools"]}, "`include` is a list of what to find beside tools"),
        ("search_tools", {"query": "x", "servers": 1}, "`servers` is a list of server names"),
        ("search_tools", {"query": "x", "servers": ["fils"]}, "There is no server `fils`. Did you mean files?"),
        ("describe_tools", {}, 'describe_tools needs tool names: {"names": ["server__tool"]}'),
        ("describe_tools", {"names": [1]}, "describe_tools needs tool names"),
        ("describe_tools", {"names": [str(n) for n in range(11)]}, "at most 10 names, not 11"),
        ("describe_tools", {"names": ["x" * 1_000]}, "A tool name has at most 200 characters"),
        ("call_tool", {}, "call_tool needs the name of a tool as search_tools shows it"),
        ("call_tool", {"name": 5}, '{"name": "server__tool", "arguments": {...}}'),
        ("call_tool", {"name": "x" * 1_000}, "A tool name has at most 200 characters"),
        ("call_tool", {"name": "files__read_file", "path": "x"}, "The tool's own arguments go into `arguments`"),
        ("call_tool", {"name": "files__read_file", "arguments": [1]}, "arguments must be a JSON object"),
        ("call_tool", {"name": "files__read_file", "arguments": "{oops"}, "arguments must be a JSON object"),
        ("call_tool", {"name": "files__reed_file"}, "Did you mean files__read_file"),
        ("call_tool", {"name": "search_tools"}, "search_tools is called directly, not through call_tool."),
    ],
)
async def test_a_wrong_request_is_answered_with_the_right_form(name: str, arguments: JsonObject, expected: str) -> None:
    text, failed = await answer(make_world(file_tools()), name, arguments)
    assert failed
    assert expected in text
    assert len(text) < 1_000


async def test_what_is_not_approved_is_neither_found_described_called_nor_named() -> None:
    secret = make_tool("files", definition("shred_file", "Shred a file."), status=Status.WITHDRAWN)
    world = make_world([*file_tools(), secret], known={"files": Server("files", listed_at=1)})
    texts = [
        await answer(world, "search_tools", {"query": "shred file"}),
        await answer(world, "describe_tools", {"names": ["files__shred_fil"]}),
        await answer(world, "call_tool", {"name": "files__shred_fil"}),
    ]
    assert not any("shred_file" in text for text, _ in texts)
    assert (await answer(world, "call_tool", {"name": "files__shred_file"}))[1]
    assert world.fleet.requests == []


async def test_tools_of_a_server_that_failed_rank_below_equal_ones_and_say_so() -> None:
    tools = [make_tool(alias, definition("read_file", "Read a file as text.")) for alias in ("a", "b", "c")]
    known = {alias: Server(alias, listed_at=1.0, error="it ended" if alias == "b" else "") for alias in "abc"}
    world = make_world(tools, known=known)
    world.fleet.states["a"] = FakeStatus(ServerState.FAILED, "gone")
    text, _ = await answer(world, "search_tools", {"query": "read a file"})
    assert [line.split("__")[0] for line in text.splitlines()] == ["c", "a", "b"]
    marked = [line.endswith("[server unavailable at the last attempt]") for line in text.splitlines()]
    assert marked == [False, True, True]
    world.fleet.states |= {alias: FakeStatus(ServerState.RUNNING) for alias in "ab"}
    text, _ = await answer(world, "search_tools", {"query": "read a file", "detail": "name"})
    assert [line.split("__")[0] for line in text.splitlines()] == ["a", "b", "c"]
    assert "unavailable" not in text


async def test_a_tool_of_several_servers_is_one_line_that_names_them_and_one_that_can_be_had_is_in_front() -> None:
    tools = [make_tool(alias, definition("read_file", "Read a file as text.")) for alias in ("a", "b", "c")]
    world = make_world(tools)
    hit = Hit(tools[0].id, 0.9, also=(tools[1].id, tools[2].id, ToolId("gone__read_file")))
    world.router._search = lambda queries, options: SearchAnswer((hit,), ((hit,),), True, (), 0.1)
    text, _ = await answer(world, "search_tools", {"query": "read a file"})
    assert text == "a__read_file() - Read a file as text (also at: b, c)"
    world.fleet.states["a"] = FakeStatus(ServerState.FAILED, "gone")
    text, _ = await answer(world, "search_tools", {"query": "read a file", "detail": "name"})
    assert text == "b__read_file - Read a file as text (also at: c, a)"

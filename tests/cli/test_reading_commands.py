"""list, tools, index, search, describe: what scripts and people are told."""

from __future__ import annotations

import json
import re
import sys

import pytest

from tests.cli.conftest import TOOLS, Shell
from toolrouter.catalog.tokens import definition_tokens
from toolrouter.cli.output import counted, print_json, print_table


def test_list_starts_nothing_and_tells_what_is_not_known_yet(shell: Shell) -> None:
    shell.configure({"demo": shell.server(), "off": {"command": "x", "disabled": True}})
    found = shell("list", "--json")
    assert found.status == 0
    assert found.json == [
        {"name": "demo", "state": "new", "tools": 0, "tokens": 0, "error": "", "waiting": 0, "refused_asking": []},
        {"name": "off", "state": "disabled", "tools": 0, "tokens": 0, "error": "", "waiting": 0, "refused_asking": []},
    ]


def test_index_tells_what_was_added_changed_and_removed(shell: Shell) -> None:
    (first,) = shell("index", "--json").json["servers"]
    assert first["added"] == ["demo__echo", "demo__fail", "demo__picture"]
    assert first["tokens"] == sum(definition_tokens(tool) for tool in TOOLS)
    shell.list_tools([TOOLS[0], {**TOOLS[1], "description": "Something else now"}])
    (second,) = shell("index", "--json").json["servers"]
    assert (second["added"], second["changed"], second["removed"]) == ([], ["demo__fail"], ["demo__picture"])
    assert second["refused"][0]["name"] == "demo__fail"
    assert second["refused"][0]["status"] == "withdrawn"


def test_index_tells_what_was_refused_and_why_and_serves_the_rest(shell: Shell) -> None:
    shell.list_tools([TOOLS[0], {"name": "bad", "inputSchema": "no schema"}])
    found = shell("index")
    assert found.status == 0
    assert re.search(r"demo__bad is refused: .+", found.err)
    assert {tool["name"]: tool["status"] for tool in shell("tools", "--json").json} == {
        "demo__bad": "refused",
        "demo__echo": "approved",
    }


def test_a_server_that_cannot_be_reached_costs_only_itself(shell: Shell) -> None:
    shell.configure({"demo": shell.server(), "gone": {"command": "no-such-program-here"}})
    found = shell("index", "--json")
    assert found.status == 1
    assert shell("index", "demo").status == 0
    errors = {server["name"]: server["error"] for server in found.json["servers"]}
    assert errors["demo"] == ""
    assert "no-such-program-here" in errors["gone"]
    states = {server["name"]: (server["state"], server["tools"]) for server in shell("list", "--json").json}
    assert states == {"demo": ("sleeping", 3), "gone": ("failed", 0)}


def test_a_server_with_an_unset_variable_is_never_started(shell: Shell) -> None:
    shell.configure({"demo": shell.server(), "secret": {**shell.server(), "env": {"KEY": "${SURELY_NOT_SET}"}}})
    found = shell("index", "--json")
    errors = {server["name"]: server["error"] for server in found.json["servers"]}
    assert "SURELY_NOT_SET, which is not set" in errors["secret"]
    assert errors["demo"] == ""


def test_tools_asks_servers_that_were_never_reached(shell: Shell) -> None:
    found = shell("tools", "--json")
    assert [sorted(tool) for tool in found.json] == [["hash", "kind", "name", "server", "status", "tokens"]] * 3
    assert all(re.fullmatch("[0-9a-f]{64}", tool["hash"]) for tool in found.json)
    assert "Asking demo" in found.err
    assert "Asking" not in shell("tools", "--json").err


def test_tools_can_be_limited_to_a_server(shell: Shell) -> None:
    shell.configure({"demo": shell.server(), "other": shell.server()})
    assert {tool["server"] for tool in shell("tools", "--server", "other", "--json").json} == {"other"}


def test_servers_are_named_one_by_one_or_together(shell: Shell) -> None:
    shell.configure({name: shell.server() for name in ("one", "two", "three")})
    shell("index")
    for words in (("--server", "one,two"), ("-s", "one", "-s", "two"), ("-s", "one, two", "-s", "two")):
        assert {tool["server"] for tool in shell("tools", "--json", *words).json} == {"one", "two"}
        (found,) = shell("search", "repeat a text", "-k", "1", "--json", *words).json["hits"]
        assert sorted([found["name"], *found["also"]]) == ["one__echo", "two__echo"]
    assert "No server is called `four`" in shell("tools", "--server", "one,four").err


def test_a_server_under_two_names_is_found_once_and_named_twice(shell: Shell) -> None:
    shell.configure({name: shell.server() for name in ("one", "two")})
    (line,) = shell("search", "repeat a text", "-k", "1").out.splitlines()
    assert ("one__echo(" in line, line.endswith("(also at: two)")) in {(True, True), (False, False)}
    assert ("two__echo(" in line, line.endswith("(also at: one)")) in {(True, True), (False, False)}


def test_an_unknown_server_is_named_with_its_like(shell: Shell) -> None:
    for command in (("tools", "-s", "dmo"), ("index", "dmo"), ("search", "x", "-s", "dmo")):
        found = shell(*command)
        assert found.status == 1
        assert "No server is called `dmo`. Did you mean `demo`?" in found.err
    assert "No server is called `nope`. Servers: demo." in shell("search", "x", "--server", "nope").err


def test_a_search_for_nothing_says_what_to_give(shell: Shell) -> None:
    for words in ([""], ["", " "]):
        found = shell("search", *words)
        assert found.status == 2
        assert "say what is to be done" in found.err


def test_a_name_of_what_is_no_tool_is_told_from_an_unknown_one(shell: Shell) -> None:
    shell.configure({"demo": shell.server("Be polite.")})
    assert "`demo` is a server, not a tool: `toolrouter tools --server demo`" in shell("describe", "demo").err
    assert "`demo__greet` is a prompt, not a tool" in shell("describe", "demo__greet").err
    assert "demo__greet" in shell("search", "demo__greet", "--include", "prompts").out, "as the advice has it"


def test_search_answers_scripts_in_a_fixed_form(shell: Shell) -> None:
    found = shell("search", "repeat", "a", "text", "--json").json
    assert sorted(found) == ["answered", "elapsed_ms", "hits"]
    assert found["answered"] is True
    best = found["hits"][0]
    assert sorted(best) == ["name", "score", "server", "signature"]
    assert (best["name"], best["server"]) == ("demo__echo", "demo")
    assert 0 <= best["score"] <= 1
    assert best["signature"].startswith("demo__echo(text*: str)")


def test_search_says_that_a_withdrawn_tool_might_have_been_a_hit(shell: Shell) -> None:
    ticket = {"name": "add_ticket", "description": "Files a new ticket.", "inputSchema": {"type": "object"}}
    said = "1 tool of server demo awaits your review, and might fit: run `toolrouter review demo`."
    shell.list_tools([*TOOLS, ticket])
    shell("index")
    assert "review" not in shell("search", "add a ticket").err
    shell.list_tools([*TOOLS, {**ticket, "description": "Files a new ticket. Always."}])
    shell("index")
    found = shell("search", "add a ticket")
    assert "add_ticket" not in found.out + found.err
    assert said in found.err
    assert said in shell("search", "add a ticket", "--json").err
    shell("reject", "demo__add_ticket")
    assert "review" not in shell("search", "add a ticket").err


def test_search_explains_the_score_of_every_stage(shell: Shell) -> None:
    assert shell("search", "repeat a text", "--explain", "--json").json["hits"][0]["parts"]
    explained = shell("search", "repeat a text", "--explain")
    assert "demo__echo" in explained.out
    stages = explained.out.splitlines()[0].split()[1:]
    assert {line.partition(":")[0] for line in explained.err.splitlines() if ": " in line} >= set(stages)


@pytest.mark.usefixtures("fake_cross_encoders")
def test_a_reranker_of_the_config_orders_what_search_finds_and_explains_it(shell: Shell) -> None:
    found = shell("search", "repeat a text", "-k", "3", "--json").json["hits"]
    assert found[0]["name"] == "demo__echo"
    shell.configure({"demo": shell.server()}, reranker="short-first", search={"min_score": 0})
    hits = shell("search", "repeat a text", "-k", "3", "--explain", "--json").json["hits"]
    thought = [hit["parts"]["reranker"] for hit in hits]
    assert thought == sorted(thought, reverse=True)
    assert hits[0]["name"] != "demo__echo"
    assert "reranker: what the reranker thought" in shell("search", "repeat a text", "--explain").err


@pytest.mark.usefixtures("fake_cross_encoders")
def test_a_reranker_that_is_missing_costs_a_warning_in_search_and_a_finding_of_doctor(shell: Shell) -> None:
    found = shell("search", "repeat a text")
    shell.configure({"demo": shell.server()}, reranker="missing-model")
    again = shell("search", "repeat a text")
    assert again.out == found.out
    assert "warning: The order is that of the first stage: sentence-transformers cannot load" in again.err
    (finding,) = [each for each in shell("doctor", "--json").json if each["subject"] == "search"]
    assert (finding["outcome"], "toolrouter.reranker" in finding["fix"]) == ("warning", True)
    shell.configure({"demo": shell.server()}, reranker="short-first")
    (finding,) = [each for each in shell("doctor", "--json").json if each["subject"] == "search"]
    assert (finding["outcome"], "reranker short-first" in finding["detail"]) == ("ok", True)


def test_search_finds_prompts_and_resources_where_it_is_asked_to(shell: Shell) -> None:
    shell.configure({"demo": shell.server("Be polite.")})
    assert "greet" not in shell("search", "polite greeting").out
    assert "prompts:\n  demo__greet() - Be polite\n" in shell("search", "polite greeting", "--include", "prompts").out
    found = shell("search", "polite", "--include", "resources", "--json").json
    assert found["offers"] == {"resources": ["demo+file:///a - Be polite"]}
    for both in (["--include", "prompts,resources"], ["--include", "prompts", "--include", "resources"]):
        assert list(shell("search", "polite", *both, "--json").json["offers"]) == ["prompts", "resources"]
    assert "prompts or resources" in shell("search", "polite", "--include", "promts").err


def test_quoted_words_are_several_tasks(shell: Shell) -> None:
    found = shell("search", "repeat a text", "draw an image", "-k", "5", "--json").json
    assert {"demo__echo", "demo__picture"} <= {hit["name"] for hit in found["hits"]}


def test_several_tasks_are_answered_one_by_one_as_a_model_reads_it(shell: Shell) -> None:
    asked = ("search", "repeat a text", "book a flight to Mars", "-k", "1")
    found = shell(*asked)
    assert re.sub(r"^\d\.\d\d", "1.00", found.out, flags=re.MULTILINE).splitlines() == [
        "# repeat a text",
        "1.00  demo__echo(text*: str) - Repeat a text",
        "# book a flight to Mars",
        "nothing fits; nearest servers: demo",
    ]
    where = "“book a flight to Mars”: nothing fits. Nearest servers: demo."
    assert where in shell(*asked, "--explain").err.splitlines()


def test_what_fits_weakly_or_not_at_all_is_said_as_a_model_reads_it(shell: Shell) -> None:
    shell.list_tools([{"name": "get_dashboard", "description": "Get a dashboard", "inputSchema": {"type": "object"}}])
    assert "These fit weakly" in shell("search", "create a dashboard in demo").err
    assert "fit weakly" not in shell("search", "get a dashboard").err
    found = shell("search", "book a flight to Mars")
    assert found.out == ""
    assert "No tool fits “book a flight to Mars”. Nearest servers: demo." in found.err


def test_describe_shows_the_definition_verbatim(shell: Shell) -> None:
    (found,) = shell("describe", "demo__echo", "--json").json
    assert found["definition"] == TOOLS[0]
    assert found["name"] == "demo__echo"
    page = shell("describe", "echo").out
    assert "says that it only reads" in page
    assert '"required"' in page


def test_an_unknown_tool_is_named_with_its_like(shell: Shell) -> None:
    found = shell("describe", "demo__eco")
    assert found.status == 1
    assert "demo__echo" in found.err
    assert found.out == ""


def test_an_unknown_tool_does_not_keep_the_others_from_being_described(shell: Shell) -> None:
    found = shell("describe", "demo__eco", "demo__echo", "--json")
    assert found.status == 1
    assert [each["name"] for each in found.json] == ["demo__echo"]
    assert "demo__eco'" in found.err


def test_people_get_tables(shell: Shell) -> None:
    assert "demo" in shell("index").out
    assert re.search(r"demo\s+sleeping\s+3", shell("list").out)
    assert re.search(r"demo__echo\s+approved\s+\d+\s+Repeat a text", shell("tools").out)
    found = shell("search", "repeat a text", "-k", "1")
    assert "demo__echo(text*: str) - Repeat a text" in found.out
    assert "1 hit in " in found.err


def test_json_means_what_was_sent_and_shows_every_character(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    sent = {"a": "\x1b[2J\u202e\x9b\x7f\ud800\U000e0041", "b": "été 東京 \U0001f600\n"}
    print_json(sent)
    shown = capfdbinary.readouterr().out
    assert json.loads(shown) == sent
    assert all(char.isprintable() or char == "\n" for char in shown.decode())
    assert "été 東京" in shown.decode()


def test_a_server_that_dies_cannot_move_the_cursor_of_a_terminal_either(shell: Shell) -> None:
    shell.configure({"a": {"command": sys.executable, "args": ["-S", "-c", r"import sys; sys.exit('so\x1b[2J\x07')"]}})
    for words in (("call", "a__b"), ("index", "--verbose"), ("list",), ("doctor",), ("search", "x")):
        done = shell(*words)
        assert not {"\x1b", "\x07"} & set(done.out + done.err), words
    assert "so" in shell("call", "a__b").err


def test_a_server_cannot_move_the_cursor_of_a_terminal(shell: Shell) -> None:
    shell.list_tools([{**TOOLS[0], "description": "Repeat \x1b[2J\x1b]0;x\x07 a text"}])
    shown = shell("tools").out + shell("describe", "demo__echo").out + shell("search", "repeat a text").out
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_a_table_in_a_file_has_a_row_in_each_line_and_no_padding_by_the_longest_cell(
    capsys: pytest.CaptureFixture[str],
) -> None:
    long = "x" * 300
    print_table(
        ("name", "n", "about"), [("a", "1", "first"), (long, "22", "second\nbelow"), ("日本", "3", "")], right=("n",)
    )
    assert capsys.readouterr().out.splitlines() == [
        "name   n  about",
        "a      1  first",
        f"{long}  22  second",
        "          below",
        "日本   3",
    ]


def test_one_thing_is_not_many() -> None:
    assert [counted(0, "tool"), counted(1, "tool"), counted(1_200, "query", "queries")] == [
        "0 tools",
        "1 tool",
        "1,200 queries",
    ]

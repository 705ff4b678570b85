"""approve and reject: a person's word about definitions."""

from __future__ import annotations

from tests.cli.conftest import TOOLS, Shell


def statuses(shell: Shell) -> dict[str, str]:
    return {tool["name"].removeprefix("demo__"): tool["status"] for tool in shell("tools", "--json").json}


def change_fail(shell: Shell) -> None:
    shell("index")
    shell.list_tools([TOOLS[0], {**TOOLS[1], "description": "Something else now"}, TOOLS[2]])
    shell("index")


def test_a_changed_tool_waits_until_it_is_approved(shell: Shell) -> None:
    change_fail(shell)
    assert statuses(shell) == {"echo": "approved", "fail": "withdrawn", "picture": "approved"}
    assert shell("call", "demo__fail").status == 1
    found = shell("approve", "demo")
    assert "demo__fail" in found.out
    assert "withdrawn → approved" in found.out
    assert "Something else now" in found.out
    assert statuses(shell)["fail"] == "approved"


def test_a_rejected_tool_is_out_of_sight_until_it_is_approved(shell: Shell) -> None:
    shell("index")
    assert shell("reject", "demo__echo").status == 0
    assert statuses(shell)["echo"] == "rejected"
    assert shell("call", "demo__echo", "--args", '{"text": "a"}').status == 1
    assert shell("describe", "demo__echo").status == 1
    assert shell("index").status == 0
    assert statuses(shell)["echo"] == "rejected"
    shell("approve", "demo__echo")
    assert statuses(shell)["echo"] == "approved"


def test_with_review_of_new_tools_nothing_is_usable_before_a_person_has_looked(shell: Shell) -> None:
    shell.configure({"demo": shell.server()}, trust="review-new")
    shell("index")
    assert set(statuses(shell).values()) == {"pending"}
    assert "3 approved." in shell("approve", "demo").err
    assert set(statuses(shell).values()) == {"approved"}


def test_when_nothing_waits_approve_says_so(shell: Shell) -> None:
    shell("index")
    assert "Nothing to decide" in shell("approve", "demo").err


def test_a_name_that_is_neither_tool_nor_server_is_an_error(shell: Shell) -> None:
    shell("index")
    found = shell("approve", "nobody")
    assert found.status == 1
    assert "No tool and no server is called `nobody`. Servers: demo." in found.err

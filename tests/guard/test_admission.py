from __future__ import annotations

from typing import Any

import pytest

from tests.catalog.making import definition, listing, tool
from toolrouter.catalog.live import Facts, Verdict
from toolrouter.catalog.tokens import definition_tokens
from toolrouter.config import TrustMode
from toolrouter.guard.admission import MAX_NAME_CHARS, admit
from toolrouter.guard.fingerprint import fingerprint
from toolrouter.types import Listing, Refusal, Server, Status

OLD = definition("read", "Reads")
NEW = definition("read", "Reads, and tells others")
HASHES = {"old": frozenset({fingerprint(OLD)}), "new": frozenset({fingerprint(NEW)})}


def judge(found: Listing, facts: Facts | None = None, mode: TrustMode = TrustMode.FIRST_USE) -> Verdict:
    return admit(found, facts or Facts(), mode, at=5.0)


def statuses(verdict: Verdict) -> dict[str, Status]:
    return {tool.name: tool.status for tool in verdict.tools}


def test_a_server_of_the_config_is_trusted_at_first_sight_and_that_is_recorded():
    verdict = judge(listing("s", "a", "b"))
    assert statuses(verdict) == {"a": Status.APPROVED, "b": Status.APPROVED}
    assert [(made.name, made.approved, made.by, made.at) for made in verdict.decisions] == [
        ("a", True, "first use", 5.0),
        ("b", True, "first use", 5.0),
    ]
    assert [made.hash for made in verdict.decisions] == [tool.hash for tool in verdict.tools]


def test_a_changed_definition_is_withdrawn_and_its_siblings_are_not():
    facts = Facts(approved={"read": HASHES["old"], "a": frozenset({fingerprint(definition("a"))})})
    verdict = judge(listing("s", NEW, "a"), facts)
    assert statuses(verdict) == {"read": Status.WITHDRAWN, "a": Status.APPROVED}
    assert verdict.decisions == []
    assert "approved" in verdict.tools[0].reason


def test_a_tool_that_a_known_server_adds_is_trusted_at_first_sight_unless_new_ones_wait():
    facts = Facts(approved={"read": HASHES["old"]})
    assert statuses(judge(listing("s", "extra"), facts)) == {"extra": Status.APPROVED}
    assert statuses(judge(listing("s", "extra"), facts, TrustMode.REVIEW_NEW)) == {"extra": Status.PENDING}


def test_another_definition_under_a_rejected_name_waits():
    verdict = judge(listing("s", NEW), Facts(rejected={"read": HASHES["old"]}))
    assert statuses(verdict) == {"read": Status.WITHDRAWN}


def test_a_definition_that_comes_back_as_approved_is_approved():
    facts = Facts(approved={"read": HASHES["old"]}, previous={"read": tool("s", NEW, Status.WITHDRAWN)})
    assert statuses(judge(listing("s", OLD), facts)) == {"read": Status.APPROVED}


@pytest.mark.parametrize("mode", TrustMode)
def test_a_rejected_definition_stays_rejected_in_every_mode(mode: TrustMode):
    verdict = judge(listing("s", OLD), Facts(rejected={"read": HASHES["old"]}), mode)
    assert statuses(verdict) == {"read": Status.REJECTED}
    assert verdict.decisions == []


def test_review_new_trusts_nothing_by_itself():
    verdict = judge(listing("s", OLD), mode=TrustMode.REVIEW_NEW)
    assert statuses(verdict) == {"read": Status.PENDING}
    assert verdict.decisions == []


def test_trust_accepts_changes_and_records_them():
    verdict = judge(listing("s", NEW), Facts(approved={"read": HASHES["old"]}), TrustMode.TRUST)
    assert statuses(verdict) == {"read": Status.APPROVED}
    assert [made.by for made in verdict.decisions] == ["trust"]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (TrustMode.FIRST_USE, Status.PENDING),
        (TrustMode.REVIEW_NEW, Status.PENDING),
        (TrustMode.TRUST, Status.APPROVED),
    ],
)
def test_nothing_is_seen_for_the_first_time_once_approvals_were_lost(mode: TrustMode, expected: Status):
    assert statuses(judge(listing("s", OLD), Facts(approvals_lost=True), mode)) == {"read": expected}


def test_a_proven_approval_outlives_the_loss_of_others():
    facts = Facts(approvals_lost=True, approved={"read": HASHES["old"]})
    assert statuses(judge(listing("s", OLD, "b"), facts)) == {"read": Status.APPROVED, "b": Status.PENDING}


@pytest.mark.parametrize("mode", [TrustMode.FIRST_USE, TrustMode.TRUST])
@pytest.mark.parametrize("names", [("getUser", "getuser"), ("get-user", "get_user")])
def test_names_easily_taken_for_each_other_wait_for_a_person(mode: TrustMode, names: tuple[str, str]):
    assert statuses(judge(listing("s", *names), mode=mode)) == dict.fromkeys(names, Status.PENDING)
    proven = Facts(approved={name: frozenset({fingerprint(definition(name))}) for name in names})
    assert statuses(judge(listing("s", *names), proven, mode)) == dict.fromkeys(names, Status.APPROVED)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ({"description": "nameless"}, "no name"),
        ({"name": 3}, "no name"),
        ({"name": " "}, "no name"),
        ({"name": "n" * (MAX_NAME_CHARS + 1)}, "characters"),
        (definition("bad", number=float("nan")), "NaN"),
        (definition("bad", "\ud800"), "surrogate"),
        (definition("bad\ud800"), "surrogate"),
    ],
)
def test_what_cannot_be_served_is_refused_and_its_siblings_are_served(raw: dict[str, Any], reason: str):
    verdict = judge(Listing(Server("s"), [raw, definition("good")]))
    assert [refusal.server for refusal in verdict.refused] == ["s"]
    assert reason in verdict.refused[0].reason
    served = {name: status for name, status in statuses(verdict).items() if status is not Status.REFUSED}
    assert served == {"good": Status.APPROVED}


def test_of_two_tools_with_one_name_neither_is_served():
    verdict = judge(listing("s", OLD, NEW, "b"))
    assert statuses(verdict) == {"b": Status.APPROVED, "read": Status.REFUSED}
    assert len(verdict.refused) == 2


def test_what_the_upstream_side_refused_is_shown_without_its_text():
    found = Listing(
        Server("s"), [definition("a")], [Refusal("s", "b", "its schema is a string"), Refusal("s", "", "odd")]
    )
    verdict = judge(found)
    refused = {tool.name: tool for tool in verdict.tools if tool.status is Status.REFUSED}
    assert list(refused) == ["b"]
    assert (refused["b"].raw, refused["b"].reason) == ({}, "its schema is a string")
    assert len(verdict.refused) == 2


def test_a_refusal_does_not_take_the_place_of_a_served_tool():
    found = Listing(Server("s"), [definition("a")], [Refusal("s", "a", "listed twice")])
    assert statuses(judge(found)) == {"a": Status.APPROVED}


def test_tokens_are_counted_once_per_definition():
    known = tool("s", OLD)
    verdict = judge(listing("s", OLD, "b"), Facts(previous={"read": known}))
    assert [tool.tokens for tool in verdict.tools] == [known.tokens, definition_tokens(definition("b"))]


def test_definitions_are_kept_as_they_came():
    raw = {"z": 1, "name": "a", "inputSchema": {"type": "object", "x-odd": [1.0]}}
    assert judge(listing("s", raw)).tools[0].raw is raw

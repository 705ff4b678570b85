from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolrouter.catalog.naming import MAX_ID_CHARS, assign_ids, skeleton, tool_id

aliases = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)
close_aliases = st.from_regex(r"[ab_]{1,4}", fullmatch=True)
close_names = st.from_regex(r"[ab_]{1,4}", fullmatch=True)
names = st.text(st.characters(), max_size=120) | st.from_regex(r"[A-Za-z0-9_-]{1,60}", fullmatch=True)
pairs = st.tuples(aliases | close_aliases, names | close_names)


@given(pairs)
def test_every_id_is_short_and_plain_and_has_a_separator(pair: tuple[str, str]):
    found = tool_id(*pair)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", found)
    assert "__" in found
    assert len(found) <= MAX_ID_CHARS <= 48


@given(st.lists(pairs, max_size=30, unique=True))
def test_different_tools_have_different_ids(found: list[tuple[str, str]]):
    assert len({tool_id(*pair) for pair in found}) == len(found)


@given(aliases, st.lists(names, max_size=10, unique=True), st.lists(names, max_size=10))
def test_other_tools_rename_nobody(alias: str, some: list[str], others: list[str]):
    alone = assign_ids(alias, some)
    together = assign_ids(alias, [*others, *some])
    assert {name: together[name] for name in some} == alone


@pytest.mark.parametrize(
    ("alias", "name", "expected"),
    [
        ("github", "create_issue", "github__create_issue"),
        ("brave-search", "brave_web_search", "brave-search__brave_web_search"),
        ("a", "b__c", "a__b__c"),
        ("a__b", "c", "a_b__c_a92700ce"),
        ("a_", "b", "a__b_a00766a3"),
        ("my.server", "read", "my_server__read_7ee0f996"),
        ("x", "say hello!", "x__say_hello_8bea9624"),
        ("x", "ünï", "x__n_3d4030b2"),
        ("", "", "server__tool_6e340b9c"),
    ],
)
def test_names_that_would_read_back_otherwise_get_a_hash(alias: str, name: str, expected: str):
    assert tool_id(alias, name) == expected


def test_a_long_name_keeps_its_beginning_and_a_hash():
    found = tool_id("twilio", "TwilioApiV2010--FetchIncomingPhoneNumberAssignedAddOnExtension")
    assert found.startswith("twilio__TwilioApiV2010--Fetch")
    assert len(found) == MAX_ID_CHARS


def test_a_name_that_looks_hashed_does_not_take_the_place_of_a_hashed_one():
    hashed = tool_id("x", "say hello!")
    assert tool_id("x", hashed.removeprefix("x__")) != hashed


@pytest.mark.parametrize("name", ["search_tools", "describe_tools", "call_tool", "call_read_tool", "read_result"])
def test_a_meta_tool_name_is_out_of_reach(name: str):
    assert tool_id("", name) != name
    assert tool_id(name, "") != name


@pytest.mark.parametrize(
    ("one", "other"),
    [("getUser", "getuser"), ("get-user", "get_user"), ("list1", "listl"), ("forn", "fom"), ("\uff47et", "get")],
)
def test_names_easily_taken_for_each_other_share_a_skeleton(one: str, other: str):
    assert skeleton(one) == skeleton(other)


def test_names_that_differ_plainly_have_different_skeletons():
    assert len({skeleton(name) for name in ("create_issue", "create_issues", "update_issue", "get_file")}) == 4

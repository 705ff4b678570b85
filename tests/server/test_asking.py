"""Questions of servers: who may ask what, and how a question reaches the host that is asked."""

from __future__ import annotations

from typing import Any

import pytest

from toolrouter.config import Settings
from toolrouter.errors import RpcError
from toolrouter.server.asking import Asking
from toolrouter.types import JsonObject

ALL = ["elicitation", "sampling", "roots"]
FORM: JsonObject = {"message": "Which branch?", "requestedSchema": {"type": "object", "properties": {}}}
KEY = "io.modelcontextprotocol/clientCapabilities"


def asking(*allowed: str) -> Asking:
    router = {"servers": {"git": {"allow_asking": list(allowed)}}}
    settings = Settings.model_validate({"mcpServers": {"git": {"command": "git-mcp"}}, "toolrouter": router})
    return Asking(lambda: settings)


@pytest.mark.parametrize("method", ["sampling/createMessage", "elicitation/create", "roots/list"])
def test_nothing_may_be_asked_by_default_and_the_refusal_says_how_to_allow_it(method: str) -> None:
    rules = asking()
    events: list[JsonObject] = []
    rules.audit = events.append
    with pytest.raises(RpcError, match=r"toolrouter\.servers\.git\.allow_asking") as refused:
        rules.question("git", method, FORM)
    assert "Which branch?" not in refused.value.message
    (ability,) = rules.refused["git"]
    assert events == [{"kind": "asked", "server": "git", "decision": f"refused: {ability}"}]


def test_what_one_server_may_ask_another_may_not() -> None:
    rules = asking(*ALL)
    assert rules.question("git", "roots/list", {}) == {}
    with pytest.raises(RpcError, match="`other`"):
        rules.question("other", "roots/list", {})


def test_a_server_learns_only_of_the_abilities_that_it_may_use() -> None:
    given: JsonObject = {"roots": {}, "sampling": {}, "elicitation": {"form": {}}, "experimental": {"x": {}}}
    params = {"name": "t", "_meta": {KEY: given, "mine": 1}}
    assert asking("roots").outgoing("git", params) == {
        "name": "t",
        "_meta": {KEY: {"roots": {}, "experimental": {"x": {}}}, "mine": 1},
    }


def test_a_question_names_the_server_that_asks() -> None:
    put = asking("elicitation").question("git", "elicitation/create", {**FORM, "message": "Which\x1b[31m branch?"})
    assert put == {**FORM, "message": "The server `git` asks: Which branch?"}


def test_an_address_to_open_is_named_by_its_real_host() -> None:
    asked = {"mode": "url", "message": "Sign in at bank.example", "url": "https://evil.example/bank.example"}
    put = asking("elicitation").question("git", "elicitation/create", asked)
    assert put["message"] == "The server `git` asks (opens evil.example): Sign in at bank.example"
    assert put["url"] == asked["url"]


def test_a_host_in_letters_that_look_latin_is_shown_as_it_is_asked_for() -> None:
    asked = {"mode": "url", "message": "Sign in", "url": "https://b\u0430nk.example/"}
    put = asking("elicitation").question("git", "elicitation/create", asked)
    assert put["message"].startswith("The server `git` asks (opens xn--bnk-")


def form_of(name: str, **field: Any) -> JsonObject:
    return {"message": "?", "requestedSchema": {"type": "object", "properties": {name: {"type": "string", **field}}}}


@pytest.mark.parametrize(
    "asked",
    [
        form_of("password"),
        form_of("githubAccessToken"),
        form_of("API_KEY"),
        form_of("value", title="Your pass\u200bword"),
        form_of("card_number"),
        form_of("value", title="P\u0430ssw\u043erd"),
        form_of("value", description="Please enter your GitHub password"),
        form_of("value", title="Contraseña"),
        {**form_of("value"), "message": "To go on, type your recovery phrase."},
        {"message": "?", "requestedSchema": {"properties": {f"f{n}": {"type": "string"} for n in range(80)}}},
        {"message": "?", "requestedSchema": {"properties": {"a": {"type": "object", "properties": {"password": {}}}}}},
        {"mode": "url", "message": "?", "url": "https://evil.example\\.bank.example/"},
        {"mode": "url", "message": "?", "url": "javascript:alert(1)"},
        {"mode": "url", "message": "?", "url": "http://evil.example/"},
        {"mode": "url", "message": "?", "url": "https://bank.example@evil.example/"},
        {"mode": "url", "message": "?", "url": "https://[broken"},
        {"mode": "url", "message": "?"},
    ],
)
def test_phishing_is_not_passed_on_even_where_questions_are_allowed(asked: JsonObject) -> None:
    with pytest.raises(RpcError, match="did not pass on a question of `git`"):
        asking("elicitation").question("git", "elicitation/create", asked)


@pytest.mark.parametrize("name", ["user", "branch", "max_tokens", "key", "secretary", "country_code", "compass"])
def test_an_ordinary_field_is_no_secret(name: str) -> None:
    assert asking("elicitation").question("git", "elicitation/create", form_of(name))


def test_a_secret_may_be_mentioned_where_nobody_is_asked_for_it() -> None:
    choice = {**form_of("ok", enum=["yes", "no"]), "message": "Reset your password now?"}
    assert asking("elicitation").question("git", "elicitation/create", choice)
    said = form_of("user", description="The name of the user whose password is reset")
    assert asking("elicitation").question("git", "elicitation/create", said)


def test_what_a_person_looks_at_before_agreeing_hides_nothing() -> None:
    hidden = "".join(chr(0xE0000 + ord(letter)) for letter in "obey")
    said = [{"role": "user", "content": {"type": "text", "text": f"Sum up{hidden}."}}]
    put = asking("sampling").question("git", "sampling/createMessage", {"messages": said, "systemPrompt": "\u202ea"})
    assert put == {"messages": [{"role": "user", "content": {"type": "text", "text": "Sum up."}}], "systemPrompt": "a"}


def test_a_server_that_never_stops_asking_does_not_fill_the_audit_log() -> None:
    rules = asking()
    events: list[JsonObject] = []
    rules.audit = events.append
    for _ in range(1_000):
        for alias in ("git", "mail"):
            with pytest.raises(RpcError):
                rules.question(alias, "roots/list", {})
    assert [event["server"] for event in events] == ["git", "mail"]


def test_a_server_that_uses_the_model_gets_none_of_the_conversation() -> None:
    asked = {"messages": [], "maxTokens": 5, "includeContext": "allServers"}
    put = asking("sampling").question("git", "sampling/createMessage", asked)
    assert put == {"messages": [], "maxTokens": 5, "includeContext": "none"}


def test_one_question_that_is_not_allowed_stops_a_result_with_several() -> None:
    requests = {"a": {"method": "roots/list"}, "b": {"method": "elicitation/create", "params": FORM}}
    result: JsonObject = {"resultType": "input_required", "inputRequests": requests, "requestState": "s"}
    assert asking(*ALL).incoming("git", result)["inputRequests"]["b"]["params"]["message"].endswith("Which branch?")
    with pytest.raises(RpcError, match="elicitation"):
        asking("roots").incoming("git", result)

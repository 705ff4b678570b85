"""Servers that a query names."""

from toolrouter.retrieval.mentions import ServerMentions
from toolrouter.types import Server

ALIASES = ("github", "gitlab", "google-workspace", "mcp-server-time", "slack-legacy")


def scores(*words: str, servers: dict[str, Server] | None = None) -> dict[str, float]:
    found = ServerMentions(ALIASES, servers or {}).scores(dict.fromkeys(words, 1.0))
    return {alias: round(float(score), 3) for alias, score in zip(ALIASES, found, strict=True) if score}


def test_a_server_is_named_by_its_alias() -> None:
    assert scores("github", "issu") == {"github": 1}


def test_words_that_say_nothing_of_a_server_do_not_count() -> None:
    assert scores("slack") == {"slack-legacy": 1}
    assert scores("legacy", "server", "mcp") == {}


def test_part_of_a_name_counts_in_part() -> None:
    assert 0 < scores("googl")["google-workspace"] < 1


def test_a_server_is_named_by_its_title() -> None:
    servers = {"mcp-server-time": Server("mcp-server-time", title="Clockwork")}
    assert scores("clockwork", servers=servers) == {"mcp-server-time": 1}


def test_an_unsure_word_counts_less() -> None:
    found = ServerMentions(ALIASES, {}).scores({"github": 0.5})
    assert found[0] == 0.5


def test_no_servers_have_no_scores() -> None:
    assert ServerMentions((), {}).scores({"github": 1.0}).shape == (0,)

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


def test_the_half_of_a_name_that_its_tools_speak_of_names_the_server() -> None:
    aliases = ("gitlab-acme", "gitlab-legacy", "google-maps")
    spoken = {"gitlab": {0, 1}, "googl": {2}, "map": {2}}
    mentions = ServerMentions(aliases, {}, lambda word: spoken.get(word, set()))
    acme, legacy, maps = mentions.scores({"gitlab": 1.0})
    assert acme > 0.85
    assert legacy == 1
    assert maps == 0
    assert mentions.scores({"googl": 1.0})[2] < 0.6


def test_a_server_whose_tools_do_not_speak_of_it_goes_by_its_whole_name() -> None:
    mentions = ServerMentions(("quiet-acme",), {}, lambda _: ())
    assert mentions.scores({"quiet": 1.0})[0] == 0.5

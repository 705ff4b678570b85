from __future__ import annotations

from typing import Any

import pytest

from toolrouter.hosts.hiding import secrets_in, without


@pytest.mark.parametrize(
    ("entry", "secrets"),
    [
        ({"env": {"GITHUB_PERSONAL_ACCESS_TOKEN": "x1", "LOG_LEVEL": "debug"}}, {"x1"}),
        (
            {"env": {"OPENAI_API_KEY": "${OPENAI_API_KEY}", "TOKEN_FILE": "/a/b", "MAX_TOKENS": "9", "KEYBOARD": "de"}},
            set(),
        ),
        (
            {"env": {"DATABASE_URL": "postgres://me:pw@db/x", "AUTH_ENABLED": "true", "API_KEY": ""}},
            {"postgres://me:pw@db/x"},
        ),
        ({"env": {"WHATEVER": "ghp_0123456789abcdef0123"}}, {"ghp_0123456789abcdef0123"}),
        ({"headers": {"Authorization": "Bearer abc", "X-Api-Key": "k", "X-Team": "blue"}}, {"abc", "k"}),
        ({"args": ["--api-key", "abc", "--token=def", "--verbose", "x"]}, {"abc", "def"}),
        ({"args": ["-y", "mcp-remote", "https://h/mcp", "--header", "Authorization: Bearer abc"]}, {"abc"}),
        ({"args": ["server-postgres", "postgresql://u:p@h/db"]}, {"postgresql://u:p@h/db"}),
        ({"url": "https://user:pw@h/mcp"}, {"https://user:pw@h/mcp"}),
        ({"command": "npx", "args": ["-y", "server-filesystem", "/home/me/tokens"]}, set()),
    ],
)
def test_what_looks_like_a_secret_is_found_and_the_rest_left_alone(entry: dict[str, Any], secrets: set[str]) -> None:
    assert secrets_in(entry) == secrets


def test_only_the_secret_itself_is_replaced() -> None:
    entry = {"command": "x", "headers": {"Authorization": "Bearer abc"}, "args": ["--header", "Cookie: s=1"]}
    done = without(entry, "web", lambda name, _: f"<{name}>")
    assert done == {
        "command": "x",
        "headers": {"Authorization": "Bearer <web.Authorization>"},
        "args": ["--header", "Cookie: <web.args.1>"],
    }

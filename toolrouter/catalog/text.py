"""The tool text: the words of a tool that the indexes see.

It is a contract: vectors compare only with vectors of the same text, so a change to what `tool_text`
returns raises `TOOL_TEXT_VERSION`, and the catalog is embedded anew. Above: the dense and the lexical
index. Below: nothing. Any JSON that an upstream sends is accepted and none of it raises.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from toolrouter.catalog.boasts import without_boasts

TOOL_TEXT_VERSION: Final = 3
"""Raised whenever `tool_text` may return another text for the same tool."""

SERVER_CHARS: Final = 40
ABOUT_CHARS: Final = 80
NAME_CHARS: Final = 100
DESCRIPTION_CHARS: Final = 320
PARAMETERS_CHARS: Final = 140
LEXICAL_CHARS: Final = 4_000
LEXICAL_DESCRIPTION_CHARS: Final = 2_400
LEXICAL_PARAMETERS_CHARS: Final = 1_200
"""Fewer than one tool in a hundred says more. What lies beyond brings it no query."""
HINT_CHARS: Final = 160
MAX_PARAMETERS: Final = 64
MAX_ENUM_VALUES: Final = 16
MAX_DEPTH: Final = 4

_WORD_BOUNDARIES = re.compile(
    r"(?<=[a-z0-9])(?=[A-Z])"  # createIssue
    r"|(?<=[A-Z])(?=[A-Z][a-z])"  # HTTPServer
    r"|(?<=[a-zA-Z]{3})(?=[0-9])"  # python3, but neither s3 nor ec2
)
_PRODUCTS = re.compile(
    r"GitHub|GitLab|BitBucket|YouTube|LinkedIn|PayPal|WordPress|HubSpot|WhatsApp|TikTok|OneDrive|SharePoint"
    r"|PowerPoint|CloudWatch|CloudFront|DynamoDB|MongoDB|MySQL|NoSQL|GraphQL|PostgreSQL|JavaScript|TypeScript|OAuth"
)
_SEPARATORS = re.compile(r"[\W_]+")
_SPACES = re.compile(r"[\s\x00-\x1f\x7f]+")
_NESTED = ("items", "additionalProperties", "anyOf", "oneOf", "allOf")


def split_name(name: str) -> str:
    """Return the words of an identifier in lower case: `get_userByID` gives `get user by id`."""
    whole = _PRODUCTS.sub(lambda product: product[0].capitalize(), name)
    return _SEPARATORS.sub(" ", _WORD_BOUNDARIES.sub(" ", whole)).strip().lower()


def tool_text(
    *,
    server: str,
    name: str,
    description: str,
    input_schema: Mapping[str, Any] | None,
    title: str = "",
    server_about: str = "",
) -> str:
    """Return the text that the dense index embeds for one tool, one line of at most ~700 characters."""
    owner = (_cut(split_name(_plain(server)), SERVER_CHARS), _cut(_modest(server_about), ABOUT_CHARS))
    label = _join_distinct(_cut(split_name(_plain(name)), NAME_CHARS), _cut(_modest(title), NAME_CHARS))
    words = ", ".join(dict.fromkeys(split_name(parameter.name) for parameter in _parameters(input_schema)))
    head = " ".join(part for part in (*owner, label) if part)
    body = (_cut(_modest(description), DESCRIPTION_CHARS).rstrip(". "), _cut(words, PARAMETERS_CHARS))
    return f"{head}: {'. '.join(part for part in body if part)}".strip(": ")


def lexical_fields(
    *,
    server: str,
    name: str,
    description: str,
    input_schema: Mapping[str, Any] | None,
    title: str = "",
    server_about: str = "",
) -> dict[str, str]:
    """Return the words of one tool by field: `name`, `server`, `description`, `parameters`.

    Longer than the tool text, since words cost a lexical index little: parameters come with their
    descriptions and enum values. `name` and `server` hold the identifier as it is and split.
    """
    identifier, alias = _cut(_plain(name), LEXICAL_CHARS), _cut(_plain(server), LEXICAL_CHARS)
    parameters = " ".join(_parameter_line(parameter) for parameter in _parameters(input_schema))
    return {
        "name": _join_distinct(identifier, split_name(identifier), _cut(_modest(title), NAME_CHARS)),
        "server": _join_distinct(alias, split_name(alias), _cut(_modest(server_about), HINT_CHARS)),
        "description": _cut(_modest(description), LEXICAL_DESCRIPTION_CHARS),
        "parameters": _cut(parameters, LEXICAL_PARAMETERS_CHARS),
    }


class _Parameter(NamedTuple):
    name: str
    description: str
    values: tuple[str, ...]


def _parameters(schema: object) -> list[_Parameter]:
    """Return at most `MAX_PARAMETERS` parameters of a schema, outer ones first."""
    found: list[_Parameter] = []
    level: list[object] = [schema]
    for _ in range(MAX_DEPTH):
        deeper: list[object] = []
        for node in level:
            for parameter, below in _properties(node):
                if len(found) == MAX_PARAMETERS:
                    return found
                found.append(parameter)
                deeper.append(below)
            deeper.extend(_alternatives(node))
        level = deeper[:MAX_PARAMETERS]
    return found


def _properties(node: object) -> Iterator[tuple[_Parameter, object]]:
    if not isinstance(node, Mapping):
        return
    properties = node.get("properties")
    if not isinstance(properties, Mapping):
        # Some registries publish the bare properties in place of a schema.
        bare = "type" not in node and all(isinstance(below, Mapping) for below in node.values())
        properties = node if bare else {}
    for key, below in properties.items():
        if isinstance(key, str):
            yield _Parameter(key, *_hints(below)), below


def _hints(node: object) -> tuple[str, tuple[str, ...]]:
    if not isinstance(node, Mapping):
        return "", ()
    values = node.get("enum")
    choices = [value for value in values if isinstance(value, str)] if isinstance(values, list) else []
    return _cut(_plain(node.get("description")), HINT_CHARS), tuple(choices[:MAX_ENUM_VALUES])


def _alternatives(node: object) -> Iterator[object]:
    """Yield the schemas that describe the same value as `node` or its elements."""
    if not isinstance(node, Mapping):
        return
    for keyword in _NESTED:
        below = node.get(keyword)
        if isinstance(below, list):
            yield from below[:MAX_PARAMETERS]
        elif isinstance(below, Mapping):
            yield below


def _parameter_line(parameter: _Parameter) -> str:
    values = " ".join(_cut(_plain(value), HINT_CHARS) for value in parameter.values)
    return " ".join(part for part in (split_name(parameter.name), parameter.description, values) if part)


def _join_distinct(*parts: str) -> str:
    """Join the parts that are neither empty nor, but for case, said before."""
    distinct: dict[str, str] = {}
    for part in parts:
        distinct.setdefault(part.lower(), part)
    return " ".join(part for part in distinct.values() if part)


def _plain(value: object) -> str:
    """Return a text as one line without control characters or lone surrogates; anything else as nothing."""
    if not isinstance(value, str):
        return ""
    return _SPACES.sub(" ", value[: 4 * LEXICAL_CHARS].encode(errors="replace").decode()).strip()


def _modest(value: object) -> str:
    """Return a text as one line without what it says in its own praise."""
    return without_boasts(_plain(value))


def _cut(text: str, limit: int) -> str:
    """Return at most `limit` characters, ending at a word where one ends in the last fifth."""
    if len(text) <= limit:
        return text
    space = text.rfind(" ", limit * 4 // 5, limit + 1)
    return text[: space if space > 0 else limit]

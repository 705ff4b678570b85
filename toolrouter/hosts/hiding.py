"""Takes secrets out of a server's entry and leaves references into the keyring in their place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from toolrouter.types import JsonObject

_NAME = re.compile(
    r"(?i)(?:token|secret|passw|credential|cookie|authorization|api[-_]?key|private[-_]?key|access[-_]?key"
    r"|(?:^|[-_])(?:key|pat|pwd|auth|dsn)(?:$|[-_])|(?:database|connection|mongo|redis|postgres)\w*[-_](?:url|uri|string))"
)
_HARMLESS_NAME = re.compile(r"(?i)(?:_|-)(?:file|path|dir|folder|endpoint|timeout|enabled|type|limit|max\w*|ttl)$")
_VALUE = re.compile(
    r"(?:sk-|sk_|pk_|rk_|gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|xapp-|AKIA|ASIA|AIza|ya29\.|ntn_|secret_|lin_api_|pat-|"
    r"hf_|npm_|dop_v1_|SG\.|eyJ[\w-]{8,}\.)[\w.+/=-]{12,}"
)
_IN_A_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/:@]*:[^\s/@]+@", re.IGNORECASE)
_SCHEME = re.compile(r"(?i)(?:Bearer|Basic|Token) +")
_FLAG = re.compile(r"--?([A-Za-z][\w-]*)(=)?(.*)", re.DOTALL)

Keep = Callable[[str, str], str]
"""`(name, secret) -> reference`: keeps the secret under that name or a free one beside it."""


def secrets_in(entry: JsonObject) -> frozenset[str]:
    """The values in this entry that nobody should see."""
    found: set[str] = set()

    def note(_name: str, secret: str) -> str:
        found.add(secret)
        return secret

    without(entry, "", note)
    return frozenset(found)


def secrets_of(servers: JsonObject) -> frozenset[str]:
    """The values in a block of servers that nobody should see."""
    return frozenset(secret for entry in servers.values() if isinstance(entry, dict) for secret in secrets_in(entry))


def without(entry: JsonObject, alias: str, keep: Keep) -> JsonObject:
    """The entry with what `keep` returned in place of its secrets. References stay as they are."""
    done = dict(entry)
    for part in ("env", "headers"):
        if isinstance(entry.get(part), dict):
            done[part] = {
                name: _hidden(str(name), value, f"{alias}.{name}", keep) for name, value in entry[part].items()
            }
    if isinstance(entry.get("args"), list):
        done["args"] = list(_arguments(entry["args"], alias, keep))
    for key in ("url", "serverUrl", "httpUrl"):
        if isinstance(entry.get(key), str) and _IN_A_URL.match(entry[key]):
            done[key] = keep(f"{alias}.url", entry[key])
    return done


def _hidden(name: str, value: Any, entry: str, keep: Keep) -> Any:
    if not isinstance(value, str) or not value.strip() or "${" in value:
        return value
    if not _is_secret(name, value):
        return value
    scheme = _SCHEME.match(value)
    start = scheme.end() if scheme else 0
    return value[:start] + keep(entry, value[start:])


def _is_secret(name: str, value: str) -> bool:
    if _VALUE.search(value) or _IN_A_URL.search(value):
        return True
    if name.lower().endswith("tokens") and value.isdecimal():
        return False  # how many, not which
    return bool(_NAME.search(name)) and not _HARMLESS_NAME.search(name) and not _is_a_switch(value)


def _is_a_switch(value: str) -> bool:
    return value.lower() in {"true", "false", "yes", "no", "on", "off", "none", "0", "1"}


def _arguments(words: list[Any], alias: str, keep: Keep) -> Iterator[Any]:
    flag = ""
    for number, word in enumerate(words):
        entry = f"{alias}.args.{number}"
        if not isinstance(word, str) or "${" in word:
            yield word
            flag = ""
            continue
        option = _FLAG.fullmatch(word)
        if option and option[2]:
            yield word[: option.start(3)] + _hidden(option[1], option[3], entry, keep)
        elif option:
            yield word
        else:
            yield _argument(flag, word, entry, keep)
        flag = option[1] if option and not option[2] else ""


def _argument(flag: str, word: str, entry: str, keep: Keep) -> str:
    header = re.match(r"([A-Za-z][\w-]*):\s*", word) if flag.lower() in ("header", "h") else None
    if header:
        return header[0] + str(_hidden(header[1], word[header.end() :], entry, keep))
    if flag and _NAME.search(flag) and not _HARMLESS_NAME.search(flag):
        return str(_hidden(flag, word, entry, keep))
    return str(_hidden("", word, entry, keep))

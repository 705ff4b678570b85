"""What upstreams may ask of hosts: nothing, unless the config allows that server that kind of question.

A server that asks speaks to the user, or spends the user's model, in our name. So a question is allowed by the person
beforehand, says who asks, asks for no secrets, and gets none of the conversation along.
"""

from __future__ import annotations

import json
import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from toolrouter.catalog.plain import plain
from toolrouter.catalog.text import split_name
from toolrouter.config import Ask, Settings
from toolrouter.errors import RpcError
from toolrouter.server.cleaning import clean_text
from toolrouter.server.protocol import CAPABILITIES_KEY, INVALID_REQUEST, METHOD_NOT_FOUND
from toolrouter.server.results import asks_for_input
from toolrouter.types import JsonObject

logger = logging.getLogger(__name__)

ABILITIES: Final = {
    "roots/list": Ask.ROOTS.value,
    "sampling/createMessage": Ask.SAMPLING.value,
    "elicitation/create": Ask.ELICITATION.value,
}
"""What an upstream may ask, and the capability of the host that it takes, which is also the word that allows it."""
MEANS: Final = {
    Ask.ROOTS.value: "the folders that are open",
    Ask.SAMPLING.value: "words of the model",
    Ask.ELICITATION.value: "something of the user",
}
MAX_FIELDS: Final = 64
_SECRET: Final = re.compile(
    r"\b(pass ?(word|phrase|code|wd)s?|pwd|secrets?|credentials?|cvv|cvc|ssn|otp|pin( code| number)?"
    r"|(api|access|private|secret|signing|encryption|recovery|seed) ?(key|token|phrase|code)s?"
    r"|(auth|bearer|refresh|session|id) ?tokens?|(credit|debit) ?cards?|card (number|no)|iban"
    r"|social security( number)?)\b"
)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

Note = Callable[[JsonObject], None]


class Asking:
    """The rules of one router for questions of upstreams, and which were refused while it has run."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self.audit: Note | None = None
        """Who keeps the audit log; nobody at first."""
        self.refused: dict[str, set[str]] = defaultdict(set)
        """By server, the kinds of questions that the config does not allow and that it asked all the same."""

    def allowed(self, alias: str) -> frozenset[str]:
        return frozenset(ask.value for ask in self._settings().options(alias).allow_asking)

    def capabilities(self, alias: str, given: JsonObject) -> JsonObject:
        """Those of a host's capabilities that this server may make use of, and those that are no such questions."""
        closed = frozenset(ABILITIES.values()) - self.allowed(alias)
        return {name: value for name, value in given.items() if name not in closed}

    def outgoing(self, alias: str, params: JsonObject) -> JsonObject:
        """Params of a request to that server, telling it no more of the host than it may use."""
        meta = params.get("_meta")
        if not isinstance(meta, dict) or not isinstance(given := meta.get(CAPABILITIES_KEY), dict):
            return params
        return {**params, "_meta": {**meta, CAPABILITIES_KEY: self.capabilities(alias, given)}}

    def question(self, alias: str, method: str, params: JsonObject) -> JsonObject:
        """The question as the host is asked it. Raises RpcError in words for the server, or for the model."""
        if (ability := ABILITIES.get(method)) is None:
            raise RpcError(METHOD_NOT_FOUND, f"Method not found: {method}")
        if ability not in self.allowed(alias):
            self._note(alias, ability, new=ability not in self.refused[alias])
            why = f"toolrouter does not let the server `{alias}` ask for {MEANS[ability]} ({method})."
            raise RpcError(METHOD_NOT_FOUND, f"{why} {hint(alias, [ability])}")
        if fault := _fault(method, params):
            raise RpcError(INVALID_REQUEST, f"toolrouter did not pass on a question of `{alias}`: {fault}.")
        return _introduced(alias, method, params)

    def incoming(self, alias: str, result: JsonObject) -> JsonObject:
        """A result of that server with the questions in it as the host is asked them. Raises RpcError."""
        requests = result.get("inputRequests")
        if not asks_for_input(result) or not isinstance(requests, Mapping):
            return result
        return {**result, "inputRequests": {key: self._request(alias, each) for key, each in requests.items()}}

    def _request(self, alias: str, request: object) -> JsonObject:
        given = request if isinstance(request, dict) else {}
        params = given.get("params")
        method = str(given.get("method"))
        return {**given, "params": self.question(alias, method, params if isinstance(params, dict) else {})}

    def _note(self, alias: str, ability: str, *, new: bool) -> None:
        self.refused[alias].add(ability)
        if self.audit is not None:
            self.audit({"kind": "asked", "server": alias, "decision": f"refused: {ability}"})
        if new:
            logger.warning("%s asks for %s, which is refused. %s", alias, MEANS[ability], hint(alias, [ability]))


def hint(alias: str, abilities: Sequence[str]) -> str:
    """How a person allows it, as a sentence."""
    return f"The user can allow it in toolrouter's config: {setting(alias, abilities)}."


def setting(alias: str, abilities: Sequence[str]) -> str:
    """The setting that allows it."""
    return f"toolrouter.servers.{alias}.allow_asking = {json.dumps(sorted(abilities))}"


def _fault(method: str, params: JsonObject) -> str:
    """Why nobody should be asked this way, although the server may ask."""
    if method != "elicitation/create":
        return ""
    if params.get("mode") == "url":
        return _address_fault(params.get("url"))
    secret = next((name for name in _field_names(params.get("requestedSchema")) if _SECRET.search(name)), "")
    return f"a form must not ask for secrets ({secret})" if secret else ""


def _field_names(schema: object) -> Iterator[str]:
    """What the fields of a form are called, by their keys and by their titles, in plain lower-case words."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    for name, field in list(properties.items())[:MAX_FIELDS] if isinstance(properties, dict) else ():
        title = field.get("title") if isinstance(field, dict) else None
        for text in (name, title):
            if isinstance(text, str):
                yield split_name(plain(text, 200))


def _address_fault(url: object) -> str:
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        host = parts.hostname or ""
    except ValueError:
        return "its address cannot be read"
    if parts.username or parts.password:
        return "its address holds a name before the host"
    if parts.scheme == "https" and host:
        return ""
    return "" if parts.scheme == "http" and host in _LOOPBACK else "its address is not https"


def _introduced(alias: str, method: str, params: JsonObject) -> JsonObject:
    """The same question, saying who asks; and nothing of the conversation goes along."""
    if method == "sampling/createMessage":
        return {**params, "includeContext": "none"} if "includeContext" in params else params
    if method != "elicitation/create":
        return params
    message: Any = params.get("message")
    said = clean_text(message)[0] if isinstance(message, str) else ""
    where = f" (opens {urlsplit(params['url']).hostname})" if params.get("mode") == "url" else ""
    return {**params, "message": f"The server `{alias}` asks{where}: {said}"}

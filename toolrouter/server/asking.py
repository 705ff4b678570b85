"""What upstreams may ask of hosts: nothing, unless the config allows that server that kind of question.

A server that asks speaks to the user, or spends the user's model, in our name. So a question is allowed by the person
beforehand, says who asks, asks for no secrets, and gets none of the conversation along.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

from toolrouter.catalog.plain import plain
from toolrouter.catalog.text import split_name
from toolrouter.config import Ask, Settings
from toolrouter.errors import RpcError
from toolrouter.server.cleaning import clean_strings
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
_DECLARED: Final[JsonObject] = {
    Ask.ROOTS.value: {"listChanged": True},
    Ask.SAMPLING.value: {},
    Ask.ELICITATION.value: {"form": {}, "url": {}},
}
MEANS: Final = {
    Ask.ROOTS.value: "the folders that are open",
    Ask.SAMPLING.value: "words of the model",
    Ask.ELICITATION.value: "something of the user",
}
NOTE_EVERY_S: Final = 60.0
"""How often the audit log tells of one kind of refused question: one that never stops must not push out the rest."""
MAX_FIELDS: Final = 64
MAX_READ_CHARS: Final = 2_000
_KINDS: Final = (
    r"(?:pass ?(?:word|phrase|code|wd)s?|pwd|secrets?|credentials?|cvv|cvc|ssn|otp|pin(?: code| number)?"
    r"|(?:api|access|private|secret|signing|encryption|recovery|seed|ssh) ?(?:key|token|phrase|code)s?"
    r"|(?:auth|bearer|refresh|session|id) ?tokens?|(?:credit|debit) ?cards?|card (?:number|no)|iban"
    r"|social security(?: number)?|one ?time (?:password|code)|(?:2fa|mfa|verification) code"
    r"|passwort|kennwort|contraseña|mot de passe|senha|wachtwoord|hasło"
    r"|пароль|密码|密碼|パスワード|비밀번호|parola|şifre)"
)
_SECRET: Final = re.compile(rf"\b{_KINDS}(?!\w)")
_DEMAND: Final = re.compile(
    r"\b(?:enter|type|provide|give|paste|insert|fill in|confirm|submit|share|send|supply|tell|what is|need"
    rf"|require|your)\b[^.?!]{{0,40}}?\b{_KINDS}(?!\w)"
)
"""In running text a secret may be mentioned, as long as nobody is asked for it."""
_HOST: Final = re.compile(r"[a-z0-9.-]+|[0-9a-f:.]+")
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
        self._noted_at: dict[tuple[str, str], float] = {}

    def allowed(self, alias: str) -> frozenset[str]:
        return frozenset(ask.value for ask in self._settings().options(alias).allow_asking)

    def declared(self, alias: str) -> JsonObject:
        """What that server is told where it is listed for all hosts: that they can do all it may ask for."""
        return {name: able for name, able in _DECLARED.items() if name in self.allowed(alias)}

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
        last, now = self._noted_at.get((alias, ability)), time.monotonic()
        if self.audit is not None and (last is None or now - last >= NOTE_EVERY_S):
            self._noted_at[alias, ability] = now
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
    fields = _fields(params.get("requestedSchema"))
    if fields is None:
        return f"a form has at most {MAX_FIELDS} plain fields"
    secret = next((words for words in map(_asked_for, fields) if words), "")
    if not secret and any(isinstance(field, dict) and _is_free_text(field) for _, field in fields):
        demand = _DEMAND.search(_words(params.get("message")))
        secret = demand[0] if demand else ""
    return f"a form must not ask for secrets ({secret})" if secret else ""


def _fields(schema: object) -> list[tuple[str, object]] | None:
    """The fields of a form; None when they are more, or other, than a person can look at."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    found = list(properties.items()) if isinstance(properties, dict) else []
    nested = any(isinstance(field, dict) and {"properties", "$ref"} & field.keys() for _, field in found)
    return None if nested or len(found) > MAX_FIELDS else found


def _asked_for(field: tuple[str, object]) -> str:
    """The words of a field, by key, title or description, that ask for a secret; empty when none do."""
    name, told = field
    texts = [name, *((told.get("title"), told.get("description")) if isinstance(told, dict) else ())]
    for text in texts[:2]:
        if _SECRET.search(words := _words(text)):
            return words
    description = _words(texts[2]) if len(texts) > 2 else ""
    free = isinstance(told, dict) and _is_free_text(told)
    return found[0] if free and (found := _DEMAND.search(description) or _SECRET.match(description)) else ""


def _without_lookalikes(text: str) -> str:
    from toolrouter.guard.scan.characters import plain as latin  # costs nothing where nobody asks

    return text if text.isascii() else latin(text)


def _is_free_text(field: JsonObject) -> bool:
    return field.get("type") == "string" and not {"enum", "oneOf", "const"} & field.keys()


def _words(text: object) -> str:
    """A text in plain lower-case words, look-alike letters of other scripts as Latin ones."""
    return split_name(_without_lookalikes(plain(text, MAX_READ_CHARS))) if isinstance(text, str) else ""


def _address_fault(url: object) -> str:
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        host = _shown_host(parts)
    except ValueError:
        return "its address cannot be read"
    if parts.username or parts.password:
        return "its address holds a name before the host"
    if not _HOST.fullmatch(host):
        return "its host is written in a way that programs read differently"
    if parts.scheme == "https" and host:
        return ""
    return "" if parts.scheme == "http" and host in _LOOPBACK else "its address is not https"


def _shown_host(parts: SplitResult) -> str:
    """The host as a browser asks for it: letters that look like Latin ones show as what they are."""
    host = parts.hostname or ""
    return host if host.isascii() else host.encode("idna").decode()


def _introduced(alias: str, method: str, params: JsonObject) -> JsonObject:
    """The same question, saying who asks; and nothing of the conversation goes along."""
    if method == "roots/list":
        return params
    shown, _ = clean_strings(params)
    if method == "sampling/createMessage":
        return {**shown, "includeContext": "none"} if "includeContext" in params else shown
    said = shown["message"] if isinstance(shown.get("message"), str) else ""
    where = f" (opens {_shown_host(urlsplit(params['url']))})" if params.get("mode") == "url" else ""
    return {**shown, "message": f"The server `{alias}` asks{where}: {said}"}

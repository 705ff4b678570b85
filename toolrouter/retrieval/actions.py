"""What kind of action a query asks for and a tool performs: siblings often differ in nothing but the verb."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from toolrouter.index.words import words

_VERBS: Final = {
    "create": "create add new insert generate register provision draft compose build append make",
    "read": "get fetch read show describe view retrieve load inspect display check see open details info",
    "list": "list enumerate browse all every which",
    "search": "search find query lookup filter match locate discover",
    "update": "update edit modify change set rename patch adjust replace assign configure mark",
    "delete": "delete remove drop clear purge erase destroy uninstall revoke unassign detach wipe",
    "send": "send post message notify publish reply share forward",
    "run": "run execute start launch trigger invoke restart resume",
    "stop": "stop cancel abort terminate kill pause disable close shutdown",
    "copy": "move copy transfer duplicate clone fork",
    "bring": "upload import ingest restore attach",
    "take": "download export backup dump save",
}
ACTIONS: Final = tuple(_VERBS)
_ACTION_OF: Final = {
    stem: action for action, (_, verbs) in enumerate(_VERBS.items()) for verb in verbs.split() for stem in words(verb)
}


def actions_in(stems: Iterable[str]) -> int:
    """Return the actions among some stems, one bit each."""
    found = 0
    for stem in stems:
        action = _ACTION_OF.get(stem)
        if action is not None:
            found |= 1 << action
    return found


def action_of_tool(name: str, description: str) -> int:
    """Return the action of a tool as one bit: the first verb of its name, else of its description's start; or 0."""
    for text in (name, description[:80]):
        for stem in words(text):
            action = _ACTION_OF.get(stem)
            if action is not None:
                return 1 << action
    return 0

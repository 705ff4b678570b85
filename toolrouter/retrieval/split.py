"""Splits a whole task into its steps: "find the customer, look at her payments and give one back".

A step starts after a sentence, a connective or a comma, where a verb follows. Nothing is understood: a split
costs little when it was not needed, since the whole query keeps a ranking of its own.
"""

from __future__ import annotations

import re
from typing import Final

from toolrouter.index.words import STOP_WORDS, words

MAX_STEPS: Final = 6

_VERBS: Final = """
accept activate add adjust alert analyse analyze append apply approve archive arrange ask assign attach audit back
bill block book branch bring browse build bump buy calculate call cancel capture change charge chart check classify
clean clear click clone close collect comment commit compare compile compose compress compute configure confirm
connect convert copy count crawl create cut deactivate debug delete deploy describe detect determine disable
discover dispatch display document download draft draw drop dump duplicate edit email empty enable encode encrypt
enroll enumerate estimate evaluate execute explain export extract fetch file fill filter finalise finalize find
finish fix flag flip follow forecast format forward generate get give grab grant group hide identify import improve
inform insert inspect install invite invoke join keep kick label launch leave link list load locate lock log look
lookup mail make map mark measure merge message migrate monitor move mute name navigate notify open order organise
organize parse pass patch pause pay pin ping place play plot pop post prepare preview print process promote provide
publish pull purge push put query queue quote rank react read rebuild recommend record redeploy refund register
reject release remind remove rename render reopen replace reply report request reserve reset resize resolve restart
restore resume retrieve return revert review revoke roll rotate run save scan schedule scrape scroll search see
select send set share show shut sign simulate snapshot solve sort split star start stop store submit subscribe
suggest sum summarise summarize switch sync tag take tell test throw toggle trace track train transcribe transfer
transform transition translate trigger trim try turn type unassign undo uninstall unlock unsubscribe update upgrade
upload validate verify view visit wait warn watch wipe work write zip
"""
_VERB: Final = "(?:" + "|".join(sorted(_VERBS.split(), key=len, reverse=True)) + ")"
_CHATTER: Final = frozenset(words("ok okay thanks thank hi hello hey dear cheers sure yes well great"))
_QUESTION: Final = r"(?:how|what|which|who|whose|where|when|whether)\b"
_LEAD: Final = (
    r"(?:please\s+|also\s+|then\s+|finally\s+|next\s+|afterwards\s+|lastly\s+|only\s+|just\s+|to\s+|"
    r"i\s+(?:need|want)\s+(?:you\s+)?to\s+|can\s+you\s+|could\s+you\s+|let(?:'s|\s+me)\s+)*"
)
_THEN: Final = (
    r"and\s+then|after\s+that|afterwards|and\s+also|then|und\s+dann|danach|anschließend|et\s+ensuite|et\s+puis|"
    r"puis|ensuite|y\s+luego|y\s+después|luego|después|e\s+depois|depois|e\s+poi|poi|en\s+dan|daarna|och\s+sedan|"
    r"sedan|ve\s+sonra|sonra|a\s+potem|potem|затем|потом"
)
_WIDE_STOPS: Final = "\u3002\uff01\uff1f\uff1b"  # the full-width . ! ? ;
_WIDE_THEN: Final = r"\uff0c?(?:然后|接着|之后再|并且)|\u3001?(?:そして|その後)|\s+그리고\s+|\s+ثم\s+"
_BOUNDARY = re.compile(
    rf"(?<=[.!?;])\s+(?=(?-i:[^a-z])|{_LEAD}{_VERB}\b)|[{_WIDE_STOPS}]\s*|\s*\n+\s*"
    rf"|,?\s+(?:{_THEN})\s*,?\s+|{_WIDE_THEN}"
    rf"|,\s+(?:and\s+|or\s+|but\s+|so\s+)?(?={_LEAD}{_VERB}\b|{_QUESTION})"
    rf"|\s+(?:and|or|&|\+)\s+(?={_LEAD}{_VERB}\b)"
    rf"|:\s+(?={_LEAD}{_VERB}\b)",
    re.IGNORECASE,
)


def split_steps(query: str) -> list[str]:
    """Return the steps of a task in order; one or none when the query is a single step."""
    steps: list[str] = []
    pending = ""
    for piece in _BOUNDARY.split(query):
        pending = f"{pending} {piece}".strip()
        if _is_telling(pending):
            steps.append(pending)
            pending = ""
    if pending and steps:
        steps[-1] = f"{steps[-1]} {pending}"
    return steps[:MAX_STEPS] if len(steps) > 1 else []


def _is_telling(piece: str) -> bool:
    return any(word not in STOP_WORDS and word not in _CHATTER for word in words(piece))

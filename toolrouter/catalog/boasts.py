"""Praise that servers give themselves, and orders to prefer them: shown as it is, but nothing to be found by.

Such words describe no task. Left in the indexes they would draw queries that hold them, and make every copy look
different from what it copies. Only whole turns of phrase go: "the best tool for everything", not "best practices".
"""

from __future__ import annotations

import re
from typing import Final

_QUALITY: Final = (
    r"(?:effective|powerful|popular|reliable|accurate|advanced|trusted|comprehensive|efficient|recommended|used|capable"
    r"|complete|robust|secure|versatile|preferred|up[- ]to[- ]date)"
)
_PRAISE: Final = (
    r"(?:best|greatest|finest|ultimate|official|leading|premier|superior|(?:number|no\.?) ?(?:one|1)|#1|top[- ]rated"
    rf"|(?:most|highly|widely) {_QUALITY})"
)
_PRAISES: Final = rf"{_PRAISE}(?:(?:,|,? and|,? &)? (?:the )?(?:{_PRAISE}|{_QUALITY})){{0,4}}"
_NOUN: Final = r"(?:tool|server|choice|option|solution|function|plugin|assistant|integration)"
_ALL: Final = (
    r"(?:everything|anything|all (?:of )?(?:your |the |other )?(?:tasks?|needs|queries|requests|purposes|uses?)"
    r"|(?:any|every) (?:\w{1,20} )?(?:task|need|query|request|purpose|use|situation|question)s?)"
)
_FOR_ALL: Final = rf"(?: (?:for|in|at|to do|to solve) {_ALL})"
_THIS: Final = rf"(?:this {_NOUN}|this|it|me)\b"
_OTHERS: Final = (
    rf"(?:(?:all |any )?(?:of the )?(?:other|another|similar|competing|alternative)s?(?: {_NOUN}s?)?"
    r"|anything else|everything else)"
)
_PREFER: Final = r"(?:use|call|choose|prefer|pick|select|try)"
_RANK: Final = (
    rf"(?: (?:(?:before|over|instead of|rather than) {_OTHERS}"
    r"|first|instead|exclusively|whenever possible|when in doubt|before anything else)\b)"
)
_BY: Final = (
    r"(?:(?:over |more than )?\d[\d.,]{0,12} ?(?:k|m|thousand|million|billion)?\+? ?(?:of )?(?:happy )?"
    r"(?:users|developers|customers|companies|teams|people|professionals)"
    r"|(?:all |many |most |leading |top )?(?:experts|professionals|millions|thousands|the community|openai|anthropic"
    r"|google|microsoft)(?: of (?:users|developers|people))?)"
)

_BOASTS: Final = re.compile(
    "|".join(
        (
            rf"\b(?:(?:this|it|which) is )?(?:simply |by far )?(?:the |our |your )?{_PRAISES} {_NOUN}\b"
            rf"(?: (?:available|ever|there is|in the world|on the market))?{_FOR_ALL}?",
            rf"\b(?:simply |by far )?(?:the )?{_PRAISES}{_FOR_ALL}",
            rf"\b(?:please )?(?:you (?:must|should) )?always {_PREFER} {_THIS}{_RANK}{{0,3}}{_FOR_ALL}?",
            rf"\b(?:please )?(?:you (?:must|should) )?(?:first )?{_PREFER} (?!(?:it|me)\b){_THIS}"
            rf"(?:{_RANK}{{1,3}}{_FOR_ALL}?|{_FOR_ALL})",
            rf"\b(?:works|good|great|perfect|ideal|suitable|excellent|usable|useful) for {_ALL}",
            rf"\bdoes (?:everything|it all)\b(?: better than {_OTHERS})?",
            rf"\b(?:much |far |always )?(?:better|faster|more \w{{4,12}}) than {_OTHERS}",
            rf"\b(?:trusted|used|loved|recommended|preferred|chosen|endorsed) by {_BY}\b(?: worldwide)?",
            r"\b(?:actively maintained|award[- ]winning|industry[- ]leading|world[- ]class|best[- ]in[- ]class"
            r"|highly recommended)\b",
            r"(?<![\w-])(?:the )?best[.!]+(?=\s|$)",
        )
    ),
    re.IGNORECASE,
)
_LOOSE_SIGNS: Final = re.compile(r"(?<=[.!?])(?:\s*[.,:;!])+(?=\s|$)|\s+(?=[.,:;!?](?:\s|$))|^[\s.,:;!?]+")
READ_CHARS: Final = 4_000


def without_boasts(text: str) -> str:
    """Returns the head of a line without self-praise; that head as it is where there is none. In bounded time."""
    head = text[:READ_CHARS]
    kept, count = _BOASTS.subn("", head)
    return _LOOSE_SIGNS.sub("", " ".join(kept.split())).strip() if count else head

"""What one hit costs in the answer: an estimate of the tokens of its signature line."""

from __future__ import annotations

import re

from toolrouter.catalog.signature import signature
from toolrouter.types import Tool

_PIECE = re.compile(r"[A-Za-z]{1,8}|\d{1,3}|[^\sA-Za-z\d]{1,2}")


def estimate_tokens(text: str) -> int:
    """Return about how many o200k tokens a text has; rather too many than too few."""
    wide = 0 if text.isascii() else sum(not letter.isascii() for letter in text)
    return len(_PIECE.findall(text)) + wide // 2


def cost_tokens(tool: Tool) -> int:
    """Return about how many tokens the signature line of a tool has."""
    return estimate_tokens(signature(tool))

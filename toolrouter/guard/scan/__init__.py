"""Reads what a server says about itself and tells which definitions try to steer the model.

Deterministic, offline and pure: the same definition in the same catalog gives the same verdict, nothing is
fetched, nothing is executed, no model is asked. It covers every string of a definition (schemas, property
names, enum values, annotations and icons included), decodes what is encoded and reads it again, and knows the
whole catalog, because a text that names another server's tool is the plainest sign of an attack.

Above: admission, the review screen and `toolrouter scan`. Below: nothing but the standard library and the
values of `toolrouter.types`. Texts are prepared by `texts`, `characters` and `payloads`; `vocabulary` reads the
words from `toolrouter/data/scan` and `rules` combines them, all as data; `phrases`, `parameters` and `context`
look for them; `scanner` puts the answers together.
"""

from toolrouter.guard.scan.context import ScanContext, build_context
from toolrouter.guard.scan.scanner import (
    SCANNER_VERSION,
    scan_definition,
    scan_tools,
)
from toolrouter.guard.scan.verdict import Finding, Tier, Verdict, make_visible

__all__ = [
    "SCANNER_VERSION",
    "Finding",
    "ScanContext",
    "Tier",
    "Verdict",
    "build_context",
    "make_visible",
    "scan_definition",
    "scan_tools",
]

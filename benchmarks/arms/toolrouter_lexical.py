"""toolrouter, lexical."""

from __future__ import annotations

from functools import partial

from benchmarks.arms.router import open_router_arm

ABOUT = "toolrouter, lexical"
open_arm = partial(open_router_arm, "lexical")

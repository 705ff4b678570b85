"""toolrouter, hybrid."""

from __future__ import annotations

from functools import partial

from benchmarks.arms.router import open_router_arm

ABOUT = "toolrouter, hybrid"
open_arm = partial(open_router_arm, "hybrid")

"""toolrouter, dense."""

from __future__ import annotations

from functools import partial

from benchmarks.arms.router import open_router_arm

ABOUT = "toolrouter's embedder and tool text alone (cosine)"
open_arm = partial(open_router_arm, "dense")

from __future__ import annotations

import os

# Daemons that tests start are gone soon after their last host.
os.environ.setdefault("TOOLROUTER_IDLE_EXIT_S", "1")

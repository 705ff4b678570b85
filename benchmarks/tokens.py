"""Tokens and money per task and session: all recorded servers, and bundles that a person really has.

python -m benchmarks.tokens
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.figures import RESULTS, save


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    command = [sys.executable, "-m", "toolrouter", "bench", "tokens", "--recorded", "--json"]
    with tempfile.TemporaryDirectory() as plots:
        done = subprocess.run([*command, "--plot", plots], stdout=subprocess.PIPE, check=False)
    if done.returncode:
        return done.returncode
    found = json.loads(done.stdout)
    del found["plots"]
    save("tokens", found, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())

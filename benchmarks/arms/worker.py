"""Arms that live in another Python: a script there reads one JSON line per request and answers with one.

The first line is `{"tools": [...], "cache": FOLDER}` and is answered with `{"versions": {...}}`; each further one is
`{"query", "k"}` and is answered with `{"hits": [[id, score], ...], "elapsed_ms"}`: the time of the search itself,
without the way there and back.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.arms import NotInstalled, Opened, Place
from toolrouter.evaluation.arms import Ranking, interleave
from toolrouter.evaluation.sets import EvalSet
from toolrouter.types import Hit, ToolId

WORKERS = Path(__file__).parent / "workers"
STOP_TIMEOUT_S = 10


@contextmanager
def open_worker(name: str, package: str, found: EvalSet, place: Place) -> Iterator[Opened]:
    """Runs `workers/run_NAME.py` with the Python of the environment that the package was installed into."""
    python = place.venvs / name / "bin" / "python"
    if not python.exists():
        raise NotInstalled(f"python -m venv {place.venvs / name} && {python.parent}/pip install '{package}'")
    command = [str(python), str(WORKERS / f"run_{name}.py")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    assert process.stdin
    try:
        tools = [
            {
                "id": tool.id,
                "server": tool.server,
                "name": tool.name,
                "description": tool.description,
                "input_schema": tool.input_schema,
            }
            for tool in found.tools
        ]
        versions = _ask(process, {"tools": tools, "cache": str(place.home)}, package)["versions"]

        def answer(queries: Sequence[str], depth: int) -> Ranking:
            replies = [_ask(process, {"query": query, "k": depth}, package) for query in queries]
            hits = interleave([[Hit(ToolId(one), score) for one, score in each["hits"]] for each in replies], depth)
            return Ranking(hits, bool(hits), hits, sum(each["elapsed_ms"] for each in replies))

        yield Opened(answer, versions)
    finally:
        process.stdin.close()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def _ask(process: subprocess.Popen[str], message: dict[str, Any], package: str) -> dict[str, Any]:
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
    except BrokenPipeError:
        line = ""
    if not line:
        raise NotInstalled(f"its worker ended; is {package} whole in its environment? (see the error above)")
    answer: dict[str, Any] = json.loads(line)
    return answer

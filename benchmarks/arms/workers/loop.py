"""Shared by the workers: plain Python, since nothing of toolrouter is installed where they run."""

import json
import sys
import time
from importlib.metadata import version


def serve(build, *packages):
    """Answers requests until stdin closes. Anything that a library prints goes to stderr.

    `build(tools, cache_folder)` returns `query, k -> hits, remembered_ms`: (id, score) pairs, and the time of whatever
    was not done again because its result was kept from an earlier run.
    """
    answers, sys.stdout = sys.stdout, sys.stderr
    first = json.loads(sys.stdin.readline())
    search = build(first["tools"], first["cache"])

    def reply(message):
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    reply({"versions": {package: version(package) for package in packages}})
    for line in sys.stdin:
        request = json.loads(line)
        start = time.perf_counter()
        hits, remembered_ms = search(request["query"], request["k"])
        elapsed_ms = (time.perf_counter() - start) * 1000 + remembered_ms
        reply({"hits": [[tool_id, float(score)] for tool_id, score in hits], "elapsed_ms": elapsed_ms})
    getattr(search, "finish", int)()
